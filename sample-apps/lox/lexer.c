/* lexer.c - splits a Lox source into tokens, one at a time. */
#include "compile.h"

static const char *const keywords[] = {
    "and", "class", "else",   "false", "for",  "fun",  "if",  "nil",
    "or",  "print", "return", "super", "this", "true", "var", "while"};

bool lexer_start(Lexer *lexer, Vm *vm, const char *source, size_t length) {
    *lexer = (Lexer){.vm = vm, .at = source, .end = source + length, .line = 1};
    for (unsigned i = 0; i <= TOKEN_WHILE - TOKEN_AND; i++) {
        String *word = symbol_get(vm, keywords[i], strlen(keywords[i]));
        if (word == NULL)
            return false;
        word->keyword = (uint8_t)(TOKEN_AND + i);
    }
    return true;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
}

static void skip_blank(Lexer *lexer) {
    for (;; lexer->at++) {
        if (lexer->at[0] == '/' && lexer->at[1] == '/')
            while (lexer->at < lexer->end && *lexer->at != '\n')
                lexer->at++;
        if (*lexer->at == '\n')
            lexer->line++;
        else if (*lexer->at != ' ' && *lexer->at != '\t' && *lexer->at != '\r')
            return;
    }
}

static Token token(const Lexer *lexer, unsigned kind, const char *start) {
    size_t length = (size_t)(lexer->at - start);

    return (Token){.kind = kind, .line = lexer->line, .text = start, .length = length};
}

static Token error_token(const Lexer *lexer, const char *message) {
    return (Token){.kind = TOKEN_ERROR, .line = lexer->line, .text = message};
}

static Token symbol_token(Lexer *lexer, Token token, const char *text, size_t length) {
    token.symbol = symbol_get(lexer->vm, text, length);
    if (token.symbol == NULL)
        token.kind = TOKEN_NO_MEMORY;
    return token;
}

static Token word(Lexer *lexer, const char *start) {
    while (is_word(*lexer->at))
        lexer->at++;
    Token name = token(lexer, TOKEN_IDENTIFIER, start);
    name = symbol_token(lexer, name, name.text, name.length);
    if (name.symbol != NULL)
        name.kind = name.symbol->keyword;
    return name;
}

static Token number(Lexer *lexer, const char *start) {
    while (is_digit(*lexer->at))
        lexer->at++;
    if (lexer->at[0] == '.' && is_digit(lexer->at[1]))
        for (lexer->at++; is_digit(*lexer->at);)
            lexer->at++;
    return token(lexer, TOKEN_NUMBER, start);
}

static Token string(Lexer *lexer, const char *start) {
    for (; lexer->at < lexer->end && *lexer->at != '"'; lexer->at++)
        lexer->line += *lexer->at == '\n';
    if (lexer->at == lexer->end)
        return error_token(lexer, "Unterminated string.");
    lexer->at++;
    Token quoted = token(lexer, TOKEN_STRING, start);
    return symbol_token(lexer, quoted, start + 1, quoted.length - 2);
}

static Token punctuation(Lexer *lexer, const char *start) {
    static const char before_equal[] = "!=<>"; /* in the order of TOKEN_..._EQUAL */
    const char *pair = strchr(before_equal, *start);

    if (*start == '\0' || (pair == NULL && strchr("(){},.;+-*/", *start) == NULL))
        return error_token(lexer, "Unexpected character.");
    if (pair == NULL || *lexer->at != '=')
        return token(lexer, (unsigned char)*start, start);
    lexer->at++;
    return token(lexer, TOKEN_NOT_EQUAL + (unsigned)(pair - before_equal), start);
}

Token lexer_next(Lexer *lexer) {
    skip_blank(lexer);
    const char *start = lexer->at;
    if (start == lexer->end)
        return token(lexer, TOKEN_END, start);
    lexer->at++;
    if (is_digit(*start))
        return number(lexer, start);
    if (is_word(*start))
        return word(lexer, start);
    return *start == '"' ? string(lexer, start) : punctuation(lexer, start);
}
