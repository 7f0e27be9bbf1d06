/*
 * grep.h: what the parts of grep share.
 *
 *   parse.c    pattern text        -> struct regex   (postfix tokens)
 *   nfa.c      struct regex        -> struct nfa     (and its simulation)
 *   dfa.c      struct nfa          -> struct dfa     (states made while scanning)
 *   literal.c  struct regex        -> struct literal (text every match contains)
 *   matcher.c  the four above      -> lines and spans that match
 *   input.c    files, directories  -> blocks of whole lines
 *   search.c   matcher and blocks  -> output
 *   main.c     command line, exit status
 *
 * Text is bytes. A line ends with a newline, and the byte before the first line of a
 * block is a newline too, so that both ends of a line can be looked at without a test.
 */
#ifndef GREP_H
#define GREP_H

#define _POSIX_C_SOURCE 200809L

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BYTES = 256,
    NEWLINE = '\n',
};

/* Why a pattern was refused, as one line of text. */
struct failure {
    char text[160];
};

/* Bytes from begin up to, not including, end. */
struct span {
    const uint8_t *begin, *end;
};

struct byteset {
    uint64_t bits[BYTES / 64];
};

bool byteset_has(const struct byteset *set, unsigned byte);
void byteset_add(struct byteset *set, unsigned byte);

/* parse.c */

enum {
    FOLD_CASE = 1,
    FIXED_STRINGS = 2,
    WHOLE_WORDS = 4,
    BACKWARDS = 8, /* with FIXED_STRINGS: for text read backwards */
};

/* Postfix: an operator follows its operands. `value` is a byte, the index of a set, or
 * the places where an assertion holds. */
enum token_kind {
    TOKEN_BYTE,
    TOKEN_SET,
    TOKEN_ASSERT,
    TOKEN_EMPTY,
    TOKEN_CONCAT,
    TOKEN_EITHER,
    TOKEN_STAR,
    TOKEN_PLUS,
    TOKEN_OPTION,
};

struct token {
    uint32_t kind, value;
};

/*
 * A parsed expression. With FOLD_CASE, bytes and sets are about lower case only, and text
 * is to be seen through `fold`; without, `fold` changes nothing.
 */
struct regex {
    struct token *tokens;
    struct byteset *sets;
    size_t token_count, token_capacity;
    size_t set_count, set_capacity;
    size_t depth; /* of the stack that evaluating the tokens needs */
    uint8_t fold[BYTES];
};

/*
 * Parses patterns, each of them ended by a newline; a line matches if one of them does.
 * Returns false with the reason; the regex needs regex_free() in both cases.
 */
bool regex_parse(struct regex *regex, struct span patterns, unsigned flags,
                 struct failure *why);
void regex_free(struct regex *regex);

/*
 * The kinds of neighbour that assertions tell apart. What an assertion demands is a set
 * of pairs of neighbours, bit 3 * before + after.
 */
enum kind {
    KIND_EDGE,
    KIND_OTHER,
    KIND_WORD,
};

enum {
    AT_LINE_BEGIN = 0007,
    AT_LINE_END = 0111,
    AT_WORD_BEGIN = 0044,
    AT_WORD_END = 0300,
    AT_WORD_EDGE = AT_WORD_BEGIN | AT_WORD_END,
    AT_NO_WORD_EDGE = 0777 & ~AT_WORD_EDGE,
    AFTER_NO_WORD = 0077,
    BEFORE_NO_WORD = 0333,
};

enum kind byte_kind(unsigned byte);

/* nfa.c */

#define NO_NODE UINT32_MAX

enum node_kind {
    NODE_BYTE,
    NODE_SET,
    NODE_ASSERT,
    NODE_EMPTY, /* goes on to both, without consuming anything */
    NODE_MATCH,
};

struct node {
    uint32_t kind, value;
    uint32_t to[2];
};

struct nfa {
    const struct regex *regex;
    struct node *nodes;
    uint32_t count, start;
};

enum {
    NFA_REVERSE = 1,   /* for text read backwards */
    NFA_NOT_EMPTY = 2, /* leaves out empty matches */
};

/* Returns false without memory. */
bool nfa_compile(struct nfa *nfa, const struct regex *regex, unsigned flags);
void nfa_free(struct nfa *nfa);

/* Whether a byte or set node takes the byte, seen through the regex's `fold`. */
bool nfa_accepts(const struct nfa *nfa, const struct node *node, unsigned folded_byte);

/*
 * The nodes reached so far without consuming a byte, and those that an assertion keeps
 * waiting there (`pending`).
 */
struct nodeset {
    const struct nfa *nfa;
    uint32_t *ids, count;
    bool pending;
    uint32_t *seen; /* the round in which a node was last seen */
    uint32_t round; /* goes up with every clearing */
    uint32_t *stack;
};

bool nodeset_init(struct nodeset *set, const struct nfa *nfa);
void nodeset_free(struct nodeset *set);
void nodeset_clear(struct nodeset *set);
/*
 * Adds what a node reaches. `places` are those that are possible here: an assertion that
 * holds in all of them is passed, one that holds in none is a dead end, any other stays
 * in the set until the byte after is known.
 */
void nodeset_reach(struct nodeset *set, uint32_t node, uint32_t places);

/* Simulation: slow, but its time and memory do not depend on luck. */
struct sim;
struct sim *sim_new(const struct nfa *nfa);
void sim_free(struct sim *sim);

/* Finds the leftmost-longest match in the line (its newline excluded) that begins at
 * `from` or later; with `any`, the match that ends first. */
bool sim_find(struct sim *sim, struct span line, const uint8_t *from, bool any,
              struct span *match);

/* dfa.c */

enum dfa_mode {
    DFA_SEARCH,  /* does a line contain a match? */
    DFA_STARTS,  /* where do matches begin? Runs backwards, needs the mirrored nfa */
    DFA_LONGEST, /* how far does a match reach that begins here? */
};

/* GAVE_UP: states are made faster than used; the simulation is to finish the work. */
enum dfa_result {
    DFA_NO,
    DFA_YES,
    DFA_GAVE_UP,
};

struct dfa;

/* Memory is about cache_bytes, more if that does not hold a handful of states. */
struct dfa *dfa_new(const struct nfa *nfa, enum dfa_mode mode, size_t cache_bytes);
void dfa_free(struct dfa *dfa);

/* Searches whole lines. *at is in the line that matches, or where it gave up. */
enum dfa_result dfa_search(struct dfa *dfa, struct span lines, const uint8_t **at);
/* Sets marks[i], for i from 0 to the line's length, to whether a match begins at i. */
enum dfa_result dfa_starts(struct dfa *dfa, struct span line, uint8_t *marks);
/* Finds the end of the longest match that begins at `from`. */
enum dfa_result dfa_longest(struct dfa *dfa, struct span line, const uint8_t *from,
                            const uint8_t **end);

/* literal.c */

enum { LITERAL_MAX = 32 };

/* Text that every match contains; `whole` if containing it is also enough. */
struct literal {
    uint8_t bytes[LITERAL_MAX];
    size_t length; /* 0: there is none worth searching for */
    bool whole;
    const uint8_t *fold;
    uint8_t skip[BYTES];
    uint8_t skip_last;
};

/* Returns false without memory. */
bool literal_init(struct literal *literal, const struct regex *regex);
/* The first occurrence, or NULL. */
const uint8_t *literal_find(const struct literal *literal, struct span text);

/* matcher.c */

struct matcher {
    struct regex regex, backwards;   /* the latter only for FIXED_STRINGS */
    struct nfa lines, spans, mirror; /* `mirror` is for text read backwards */
    struct sim *line_sim, *span_sim;
    struct dfa *search, *starts, *longest;
    struct literal literal;
    uint8_t *marks; /* where matches begin in the current line, if `marked` */
    size_t marks_capacity;
    bool marked;
    struct span line;
};

/* `spans` says that matcher_next_span() will be used. The matcher needs matcher_free() in
 * any case. */
bool matcher_init(struct matcher *matcher, struct span patterns, unsigned flags,
                  bool spans, size_t cache_bytes, struct failure *why);
void matcher_free(struct matcher *matcher);

/* Finds the first line that matches, newline included; else *line is undefined. */
bool matcher_next_line(struct matcher *matcher, struct span lines, struct span *line);
/* Chooses a line (its newline excluded) for matcher_next_span(). */
void matcher_enter_line(struct matcher *matcher, struct span line);
/* Finds the leftmost-longest match that is not empty and begins at `from` or later. */
bool matcher_next_span(struct matcher *matcher, const uint8_t *from, struct span *match);

/* input.c */

/* Takes the first line, with its newline, from the front of whole lines. */
struct span take_line(struct span *lines);

struct input {
    int fd;
    uint8_t *buffer;
    size_t capacity, used, filled;
};

void input_free(struct input *input);
void input_open(struct input *input, int fd);
/* Gives the next whole lines, with a last newline if the file lacks it; *block stays
 * valid until the next call and may be written to. Returns 1, 0 at the end, -1 with
 * errno. */
int input_next(struct input *input, struct span *block);

struct visitor {
    void *context;
    /* `below` tells that the file was not named, but found in a directory. */
    void (*file)(void *context, int fd, const char *name, bool below);
    void (*error)(void *context, const char *name, const char *reason);
    const bool *stop; /* looked at before every file */
    bool recursive;
};

/* Visits files, and with `recursive` what is below directories, in the order of their
 * names. Without paths, visits the current directory or standard input. Returns false
 * without memory. */
bool visit_paths(const struct visitor *visitor, char *const *paths, size_t count);

/* search.c */

enum name_display {
    NAMES_DEFAULT,
    NAMES_ALWAYS,
    NAMES_NEVER,
};

struct options {
    bool ignore_case, fixed_strings, whole_words, invert;
    bool count, list, quiet, only_matching, line_numbers;
    bool recursive, no_messages;
    enum name_display names;
};

struct output {
    uint8_t buffer[1 << 15];
    size_t used;
    bool muted; /* everything is done but the writing */
    int error;  /* errno of the first write that failed */
};

void output_flush(struct output *output);

struct search {
    const struct options *options;
    struct matcher matcher;
    struct input input;
    struct output output;
    bool many;     /* more than one file was named */
    bool terminal; /* someone is watching the output */
    bool any_selected, any_error;
    bool done; /* nothing that follows can change the result */

    /* About the file being searched: */
    const char *name;
    bool show_name, binary;
    size_t selected; /* lines */
    size_t line;     /* the number of the line that begins at `numbered` */
    const uint8_t *numbered;
};

/* For a visitor, the search being the context. */
void search_file(void *search, int fd, const char *name, bool below);
void search_error(void *search, const char *name, const char *reason);

#endif
