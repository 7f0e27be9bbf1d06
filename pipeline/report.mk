# Judges a run and shows it. Reads the files of a run alone, so that any run can be analysed again.
# Makes results/RUN-ID/summary.json, report.html, summary.md and plots/; of all runs results/history.html.

analyse = $(python) scripts/analyse.py
report = $(python) scripts/report.py
history = $(python) scripts/history.py results
