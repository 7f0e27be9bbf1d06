# From BOLT's counts of branches to what llvm-profgen reads: ranges of executed instructions, and branches.
# awk -f samples.awk what=symbols SYMBOLS what=code CODE what=counts FDATA, with the output of llvm-nm and llvm-objdump.
function number(digits,    i, value) {
    for (i = 1; i <= length(digits); i++)
        value = 16 * value + index("123456789abcdef", substr(digits, i, 1))
    return value
}

# A symbol that occurs twice is left out.
what == "symbols" {
    if ($3 in address && address[$3] != number($1))
        twice[$3]
    address[$3] = number($1)
}

what == "code" && $1 ~ /^[0-9a-f]+:$/ {
    at[++last] = number(substr($1, 1, length($1) - 1))
    place[at[last]] = last
    leaves[last] = $2 ~ /^(j|ret|ud2|hlt)/
}

# 1 SYMBOL OFFSET 1 SYMBOL OFFSET MISPREDICTED TAKEN; branches to and from other objects are left out.
what == "counts" {
    sub(/[\/(].*/, "", $2)
    sub(/[\/(].*/, "", $5)
    if (!($5 in address) || $5 in twice)
        next
    to = address[$5] + number($6)
    entered[to] += $8
    if ($2 in address && !($2 in twice))
        taken[sprintf("%x->%x", address[$2] + number($3), to)] += $8
}

# A range ends where a branch leaves it, or before what is entered by itself.
function end_of(start,    i) {
    for (i = place[start]; i < last && !leaves[i] && !(at[i + 1] in entered); i++)
        ;
    return at[i]
}

END {
    for (start in entered)
        ranges++
    print ranges + 0
    for (start in entered)
        printf "%x-%x:%.0f\n", start, end_of(start), entered[start]
    for (branch in taken)
        branches++
    print branches + 0
    for (branch in taken)
        printf "%s:%.0f\n", branch, taken[branch]
}
