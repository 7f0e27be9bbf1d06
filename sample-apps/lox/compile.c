/* compile.c - parses a Lox source in one pass and has emit.c write its code. */
#include "compile.h"

#include <stdlib.h>

enum { NESTING_MAX = 1000 };

/* How tightly operators bind, loosest first. */
typedef enum {
    LEVEL_NONE,
    LEVEL_ASSIGNMENT,
    LEVEL_OR,
    LEVEL_AND,
    LEVEL_EQUALITY,
    LEVEL_COMPARISON,
    LEVEL_TERM,
    LEVEL_FACTOR,
    LEVEL_UNARY,
    LEVEL_CALL
} Level;

static void expression(Compiler *c);
static void statement(Compiler *c);
static void declaration(Compiler *c);
static void var_declaration(Compiler *c);

static void error_print(FILE *err, const Token *token, const char *message) {
    fprintf(err, "[line %u] Error", token->line);
    if (token->kind == TOKEN_END)
        fputs(" at end", err);
    else if (token->kind != TOKEN_ERROR)
        fprintf(err, " at '%.*s'", (int)token->length, token->text);
    fprintf(err, ": %s\n", message);
}

static void error_at(Compiler *c, const Token *token, const char *message) {
    if (c->panicking || c->stopped)
        return;
    c->panicking = true;
    c->failed = true;
    if (c->vm->err != NULL)
        error_print(c->vm->err, token, message);
}

void error_at_previous(Compiler *c, const char *message) {
    error_at(c, &c->previous, message);
}

/* After this the parser sees the end of the source wherever it looks. */
void give_up(Compiler *c, const char *message) {
    error_at(c, &c->current, message);
    c->stopped = true;
    c->current.kind = TOKEN_END;
}

static void advance(Compiler *c) {
    c->previous = c->current;
    while (!c->stopped) {
        c->current = lexer_next(&c->lexer);
        if (c->current.kind == TOKEN_NO_MEMORY)
            give_up(c, "Out of memory.");
        if (c->current.kind != TOKEN_ERROR)
            break;
        error_at(c, &c->current, c->current.text);
    }
}

static bool check(const Compiler *c, unsigned kind) {
    return c->current.kind == kind;
}

static bool match(Compiler *c, unsigned kind) {
    if (!check(c, kind))
        return false;
    advance(c);
    return true;
}

static void expect(Compiler *c, unsigned kind, const char *message) {
    if (!match(c, kind))
        error_at(c, &c->current, message);
}

/* Counts a level of nesting, which each caller gives back. */
static bool nest(Compiler *c) {
    if (c->nesting == NESTING_MAX) {
        give_up(c, "Too deeply nested.");
        return false;
    }
    c->nesting++;
    return true;
}

/* The name that is to be here; after an error, one that no variable can have. */
static const String *expect_name(Compiler *c, const char *message) {
    if (match(c, TOKEN_IDENTIFIER))
        return c->previous.symbol;
    error_at(c, &c->current, message);
    return c->this_name;
}

static uint8_t name_constant(Compiler *c, const String *name) {
    return add_constant(c, (Operand){.name = name});
}

/* Expressions */

/* Operators after an operand; the last four are more than an instruction. */
static const struct {
    uint8_t level;
    uint8_t op;
} infixes[TOKEN_KINDS] = {
    ['+'] = {LEVEL_TERM, OP_ADD},
    ['-'] = {LEVEL_TERM, OP_SUBTRACT},
    ['*'] = {LEVEL_FACTOR, OP_MULTIPLY},
    ['/'] = {LEVEL_FACTOR, OP_DIVIDE},
    ['<'] = {LEVEL_COMPARISON, OP_LESS},
    ['>'] = {LEVEL_COMPARISON, OP_GREATER},
    [TOKEN_LESS_EQUAL] = {LEVEL_COMPARISON, OP_LESS_EQUAL},
    [TOKEN_GREATER_EQUAL] = {LEVEL_COMPARISON, OP_GREATER_EQUAL},
    [TOKEN_EQUAL_EQUAL] = {LEVEL_EQUALITY, OP_EQUAL},
    [TOKEN_NOT_EQUAL] = {LEVEL_EQUALITY, OP_NOT_EQUAL},
    [TOKEN_AND] = {LEVEL_AND, OP_AND},
    [TOKEN_OR] = {LEVEL_OR, OP_OR},
    ['('] = {LEVEL_CALL, OP_CALL},
    ['.'] = {.level = LEVEL_CALL},
};

static void operand(Compiler *c, Level level);

static void variable(Compiler *c, const String *name, bool assignable) {
    Variable v = variable_find(c, name);

    if (assignable && match(c, '=')) {
        expression(c);
        emit_op_with(c, v.store, v.operand, 0);
    } else {
        emit_op_with(c, v.load, v.operand, 1);
    }
}

static void this(Compiler *c) {
    if (c->class == NULL)
        error_at_previous(c, "Can't use 'this' outside of a class.");
    else
        variable(c, c->this_name, false);
}

static uint8_t arguments(Compiler *c) {
    unsigned count = 0;

    if (!check(c, ')')) {
        do {
            expression(c);
            if (count == ARGUMENTS_MAX)
                error_at_previous(c, "Can't have more than 255 arguments.");
            else
                count++;
        } while (match(c, ','));
    }
    expect(c, ')', "Expect ')' after arguments.");
    return (uint8_t)count;
}

static void invoke_op(Compiler *c, Opcode op, uint8_t name) {
    uint8_t argc = arguments(c);

    emit_op_with(c, op, name, -(int)argc);
    emit_byte(c, argc);
}

static void super(Compiler *c) {
    if (c->class == NULL)
        error_at_previous(c, "Can't use 'super' outside of a class.");
    else if (!c->class->has_parent)
        error_at_previous(c, "Can't use 'super' in a class with no superclass.");
    expect(c, '.', "Expect '.' after 'super'.");
    uint8_t name = name_constant(c, expect_name(c, "Expect superclass method name."));
    variable(c, c->this_name, false);
    if (match(c, '('))
        invoke_op(c, OP_INVOKE_SUPER, name);
    else
        emit_op_with(c, OP_LOAD_SUPER, name, 0);
}

static void unary(Compiler *c, Opcode op) {
    operand(c, LEVEL_UNARY);
    emit_op(c, op, 0);
}

/* What the previous token begins; false if it cannot begin an expression. */
static bool primary(Compiler *c, bool assignable) {
    switch (c->previous.kind) {
    case TOKEN_NIL:
        emit_op(c, OP_PUSH_NIL, 1);
        break;
    case TOKEN_FALSE:
        emit_op(c, OP_PUSH_FALSE, 1);
        break;
    case TOKEN_TRUE:
        emit_op(c, OP_PUSH_TRUE, 1);
        break;
    case TOKEN_NUMBER:
        emit_constant(c, number_value(strtod(c->previous.text, NULL)));
        break;
    case TOKEN_STRING:
        emit_constant(c, object_value(c->previous.symbol));
        break;
    case TOKEN_IDENTIFIER:
        variable(c, c->previous.symbol, assignable);
        break;
    case TOKEN_THIS:
        this(c);
        break;
    case TOKEN_SUPER:
        super(c);
        break;
    case '(':
        expression(c);
        expect(c, ')', "Expect ')' after expression.");
        break;
    case '-':
        unary(c, OP_NEGATE);
        break;
    case '!':
        unary(c, OP_NOT);
        break;
    default:
        error_at_previous(c, "Expect expression.");
        return false;
    }
    return true;
}

static void short_circuit(Compiler *c, Opcode op, Level level) {
    size_t end = emit_jump(c, op, -1);

    operand(c, level);
    emit_label(c, end);
}

static void property(Compiler *c, bool assignable) {
    uint8_t name = name_constant(c, expect_name(c, "Expect property name after '.'."));

    if (assignable && match(c, '=')) {
        expression(c);
        emit_op_with(c, OP_STORE_FIELD, name, -1);
    } else if (match(c, '(')) {
        invoke_op(c, OP_INVOKE, name);
    } else {
        emit_load_field(c, name);
    }
}

/* What the previous token does to the value before it. */
static void infix(Compiler *c, bool assignable) {
    unsigned kind = c->previous.kind;
    Level level = infixes[kind].level;
    Opcode op = infixes[kind].op;
    uint8_t argc;

    switch (kind) {
    case TOKEN_OR:
    case TOKEN_AND:
        short_circuit(c, op, level);
        break;
    case '(':
        argc = arguments(c);
        emit_op_with(c, op, argc, -(int)argc);
        break;
    case '.':
        property(c, assignable);
        break;
    default:
        operand(c, level + 1);
        emit_op(c, op, -1);
    }
}

static void operators(Compiler *c, Level level) {
    bool assignable = level <= LEVEL_ASSIGNMENT;

    advance(c);
    if (!primary(c, assignable))
        return;
    while (level <= infixes[c->current.kind].level) {
        advance(c);
        infix(c, assignable);
    }
    if (assignable && match(c, '='))
        error_at_previous(c, "Invalid assignment target.");
}

/* An expression of operators that bind at least as tightly as the level. */
static void operand(Compiler *c, Level level) {
    if (!nest(c))
        return;
    operators(c, level);
    c->nesting--;
}

static void expression(Compiler *c) {
    operand(c, LEVEL_ASSIGNMENT);
}

/* Statements */

static void print_statement(Compiler *c) {
    expression(c);
    expect(c, ';', "Expect ';' after value.");
    emit_op(c, OP_PRINT, -1);
}

static void return_statement(Compiler *c) {
    FunctionKind kind = c->builder->kind;

    if (kind == FUNCTION_SCRIPT)
        error_at_previous(c, "Can't return from top-level code.");
    if (match(c, ';')) {
        emit_return(c);
        return;
    }
    if (kind == FUNCTION_INITIALIZER)
        error_at_previous(c, "Can't return a value from an initializer.");
    expression(c);
    expect(c, ';', "Expect ';' after return value.");
    emit_op(c, OP_RETURN, -1);
}

static void expression_statement(Compiler *c) {
    expression(c);
    expect(c, ';', "Expect ';' after expression.");
    emit_drop(c);
}

static void block(Compiler *c) {
    while (!check(c, '}') && !check(c, TOKEN_END))
        declaration(c);
    expect(c, '}', "Expect '}' after block.");
}

static void block_statement(Compiler *c) {
    scope_begin(c);
    block(c);
    scope_end(c);
}

/* A condition in parentheses; returns the jump that is taken if it is false. */
static size_t condition(Compiler *c, const char *message) {
    expect(c, '(', message);
    expression(c);
    expect(c, ')', "Expect ')' after condition.");
    return emit_unless(c);
}

static void if_statement(Compiler *c) {
    size_t otherwise = condition(c, "Expect '(' after 'if'.");

    statement(c);
    if (!match(c, TOKEN_ELSE)) {
        emit_label(c, otherwise);
        return;
    }
    size_t end = emit_jump(c, OP_JUMP, 0);
    emit_label(c, otherwise);
    statement(c);
    emit_label(c, end);
}

static void while_statement(Compiler *c) {
    size_t start = emit_loop_label(c);
    size_t end = condition(c, "Expect '(' after 'while'.");

    statement(c);
    emit_loop(c, start);
    emit_label(c, end);
}

static void for_initializer(Compiler *c) {
    if (match(c, TOKEN_VAR))
        var_declaration(c);
    else if (!match(c, ';'))
        expression_statement(c);
}

/* True: there is one, and `jump` is taken if it is false. */
static bool for_condition(Compiler *c, size_t *jump) {
    if (match(c, ';'))
        return false;
    expression(c);
    expect(c, ';', "Expect ';' after loop condition.");
    *jump = emit_unless(c);
    return true;
}

/* The code of the increment comes before that of the body, which returns to it.
   Returns where the body goes on; `start` is where the increment does. */
static size_t for_increment(Compiler *c, size_t start) {
    if (match(c, ')'))
        return start;
    size_t body = emit_jump(c, OP_JUMP, 0);
    size_t increment = emit_loop_label(c);
    expression(c);
    emit_drop(c);
    expect(c, ')', "Expect ')' after for clauses.");
    emit_loop(c, start);
    emit_label(c, body);
    return increment;
}

static void for_statement(Compiler *c) {
    scope_begin(c);
    expect(c, '(', "Expect '(' after 'for'.");
    for_initializer(c);
    size_t start = emit_loop_label(c);
    size_t end = 0;
    bool ends = for_condition(c, &end);
    start = for_increment(c, start);
    statement(c);
    emit_loop(c, start);
    if (ends)
        emit_label(c, end);
    scope_end(c);
}

static void statement_of_kind(Compiler *c) {
    if (match(c, TOKEN_PRINT))
        print_statement(c);
    else if (match(c, TOKEN_FOR))
        for_statement(c);
    else if (match(c, TOKEN_IF))
        if_statement(c);
    else if (match(c, TOKEN_RETURN))
        return_statement(c);
    else if (match(c, TOKEN_WHILE))
        while_statement(c);
    else if (match(c, '{'))
        block_statement(c);
    else
        expression_statement(c);
}

static void statement(Compiler *c) {
    if (!nest(c))
        return;
    statement_of_kind(c);
    c->nesting--;
}

/* Declarations */

static void declare(Compiler *c, const String *name) {
    uint32_t index;

    if (c->builder->depth > 0)
        local_declare(c, name);
    else if (!global_declare(c->vm, name, &index))
        give_up(c, "Out of memory.");
}

/* Declares a variable; returns its constant for define(), if it is global. */
static uint8_t declare_variable(Compiler *c, const String *name) {
    declare(c, name);
    return c->builder->depth > 0 ? 0 : name_constant(c, name);
}

/* Gives the variable the value on top of the stack. */
static void define(Compiler *c, uint8_t name) {
    if (c->builder->depth > 0)
        local_initialize(c);
    else
        emit_op_with(c, OP_DEFINE_GLOBAL, name, -1);
}

static void var_declaration(Compiler *c) {
    uint8_t name = declare_variable(c, expect_name(c, "Expect variable name."));

    if (match(c, '='))
        expression(c);
    else
        emit_op(c, OP_PUSH_NIL, 1);
    expect(c, ';', "Expect ';' after variable declaration.");
    define(c, name);
}

static void parameter(Compiler *c) {
    Builder *b = c->builder;

    if (b->arity == ARGUMENTS_MAX)
        error_at(c, &c->current, "Can't have more than 255 parameters.");
    else
        b->arity++;
    define(c, declare_variable(c, expect_name(c, "Expect parameter name.")));
    b->stack_need = ++b->stack;
}

static void function_body(Compiler *c) {
    scope_begin(c);
    expect(c, '(', "Expect '(' after function name.");
    if (!check(c, ')')) {
        do
            parameter(c);
        while (match(c, ','));
    }
    expect(c, ')', "Expect ')' after parameters.");
    expect(c, '{', "Expect '{' before function body.");
    block(c);
}

/* What follows the name of a function; pushes a closure of it. */
static void function(Compiler *c, FunctionKind kind, const String *name) {
    Function *compiled = NULL;

    if (!nest(c))
        return;
    if (builder_open(c, kind, name)) {
        function_body(c);
        compiled = builder_close(c);
    } else {
        give_up(c, "Out of memory.");
    }
    emit_op_with(c, OP_CLOSURE, add_constant(c, (Operand){.function = compiled}), 1);
    c->nesting--;
}

static void fun_declaration(Compiler *c) {
    const String *name = expect_name(c, "Expect function name.");
    uint8_t constant = declare_variable(c, name);

    local_initialize(c);
    function(c, FUNCTION_PLAIN, name);
    define(c, constant);
}

static void method(Compiler *c) {
    const String *name = expect_name(c, "Expect method name.");
    uint8_t constant = name_constant(c, name);

    function(c, name == c->vm->init ? FUNCTION_INITIALIZER : FUNCTION_METHOD, name);
    emit_op_with(c, OP_METHOD, constant, -1);
}

static void superclass(Compiler *c, const String *class_name) {
    const String *name = expect_name(c, "Expect superclass name.");

    variable(c, name, false);
    if (name == class_name)
        error_at_previous(c, "A class can't inherit from itself.");
    variable(c, class_name, false);
    emit_op(c, OP_INHERIT, -2);
    c->class->has_parent = true;
}

static void class_body(Compiler *c) {
    expect(c, '{', "Expect '{' before class body.");
    while (!check(c, '}') && !check(c, TOKEN_END))
        method(c);
    expect(c, '}', "Expect '}' after class body.");
}

static void class_declaration(Compiler *c) {
    ClassScope scope = {.outer = c->class};
    const String *name = expect_name(c, "Expect class name.");
    uint8_t constant = name_constant(c, name);

    declare(c, name);
    emit_op_with(c, OP_CLASS, constant, 1);
    define(c, constant);
    c->class = &scope;
    if (match(c, '<'))
        superclass(c, name);
    variable(c, name, false);
    class_body(c);
    emit_op(c, OP_DROP, -1);
    c->class = scope.outer;
}

/* After an error: skips to where a statement seems to begin. */
static void synchronize(Compiler *c) {
    c->panicking = false;
    while (!check(c, TOKEN_END) && c->previous.kind != ';') {
        switch (c->current.kind) {
        case TOKEN_CLASS:
        case TOKEN_FUN:
        case TOKEN_VAR:
        case TOKEN_FOR:
        case TOKEN_IF:
        case TOKEN_WHILE:
        case TOKEN_PRINT:
        case TOKEN_RETURN:
            return;
        default:
            advance(c);
        }
    }
}

static void declaration(Compiler *c) {
    if (match(c, TOKEN_CLASS))
        class_declaration(c);
    else if (match(c, TOKEN_FUN))
        fun_declaration(c);
    else if (match(c, TOKEN_VAR))
        var_declaration(c);
    else
        statement(c);
    if (c->panicking)
        synchronize(c);
}

Function *compile(Vm *vm, const char *source, size_t length) {
    Compiler c = {.vm = vm, .current = {.kind = TOKEN_END, .line = 1}};

    if (!lexer_start(&c.lexer, vm, source, length) ||
        (c.this_name = symbol_get(vm, "this", 4)) == NULL ||
        !builder_open(&c, FUNCTION_SCRIPT, NULL)) {
        give_up(&c, "Out of memory.");
        return NULL;
    }
    advance(&c);
    while (!match(&c, TOKEN_END))
        declaration(&c);
    return builder_close(&c);
}
