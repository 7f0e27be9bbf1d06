/* emit.c - writes bytecode, keeps track of scopes and of the depth of the stack. */
#include "compile.h"

#include <stdlib.h>

void emit_byte(Compiler *c, uint8_t byte) {
    Builder *b = c->builder;
    CodeByte *code =
        array_extend(b->code, b->code_count, &b->code_capacity, sizeof *code);

    if (code == NULL) {
        give_up(c, "Out of memory.");
        return;
    }
    b->code = code;
    b->code[b->code_count++] = (CodeByte){.byte = byte, .line = c->previous.line};
}

static void change_stack(Builder *b, int effect) {
    b->stack += (unsigned)effect;
    if (b->stack > b->stack_need)
        b->stack_need = b->stack;
}

void emit_op(Compiler *c, Opcode op, int effect) {
    c->builder->last_op = c->builder->code_count;
    emit_byte(c, (uint8_t)op);
    change_stack(c->builder, effect);
}

void emit_op_with(Compiler *c, Opcode op, uint8_t operand, int effect) {
    emit_op(c, op, effect);
    emit_byte(c, operand);
}

/* The last instruction, if it is one of first..last and nothing gets to the place behind
   it but through it; else NULL. */
static CodeByte *last_op(Builder *b, Opcode first, Opcode last) {
    CodeByte *op = b->last_op < b->code_count ? &b->code[b->last_op] : NULL;

    return op != NULL && op->byte >= first && op->byte <= last ? op : NULL;
}

/* Drops the topmost value; an assignment right before need not keep it then. */
void emit_drop(Compiler *c) {
    CodeByte *op = last_op(c->builder, OP_STORE_LOCAL, OP_STORE_FIELD);

    if (op == NULL) {
        emit_op(c, OP_DROP, -1);
    } else {
        op->byte = (uint8_t)(op->byte - OP_STORE_LOCAL + OP_MOVE_LOCAL);
        change_stack(c->builder, -1);
    }
}

/* Replaces the topmost value by its field; `this`, if it was just pushed, need not be. */
void emit_load_field(Compiler *c, uint8_t name) {
    Builder *b = c->builder;
    CodeByte *op = last_op(b, OP_LOAD_LOCAL, OP_LOAD_LOCAL);

    if (b->kind >= FUNCTION_METHOD && op != NULL && op[1].byte == 0) {
        b->code_count = b->last_op;
        b->stack--;
        emit_op_with(c, OP_LOAD_OWN, name, 1);
    } else {
        emit_op_with(c, OP_LOAD_FIELD, name, 0);
    }
}

/* An index in the constants of the function: a new one for every use, as the language's
   limit counts uses. */
uint8_t add_constant(Compiler *c, Operand constant) {
    Builder *b = c->builder;

    if (b->constant_count == CONSTANTS_MAX) {
        error_at_previous(c, "Too many constants in one chunk.");
        return 0;
    }
    b->constants[b->constant_count] = constant;
    return (uint8_t)b->constant_count++;
}

void emit_constant(Compiler *c, Value value) {
    emit_op_with(c, OP_PUSH_CONST, add_constant(c, (Operand){.value = value}), 1);
}

/* Returns what a function without a value to return does: nil, an initializer `this`. */
void emit_return(Compiler *c) {
    if (c->builder->kind == FUNCTION_INITIALIZER)
        emit_op_with(c, OP_LOAD_LOCAL, 0, 1);
    else
        emit_op(c, OP_PUSH_NIL, 1);
    emit_op(c, OP_RETURN, -1);
}

static size_t emit_distance(Compiler *c) {
    emit_byte(c, 0);
    emit_byte(c, 0);
    return c->builder->code_count - 2;
}

/* A jump to where emit_label() will be called; returns what that needs. */
size_t emit_jump(Compiler *c, Opcode op, int effect) {
    emit_op(c, op, effect);
    return emit_distance(c);
}

/* Drops a condition, and jumps if it is false. A comparison becomes part of the jump. */
size_t emit_unless(Compiler *c) {
    CodeByte *op = last_op(c->builder, OP_EQUAL, OP_GREATER_EQUAL);

    if (op == NULL)
        return emit_jump(c, OP_UNLESS, -1);
    op->byte = (uint8_t)(op->byte - OP_EQUAL + OP_UNLESS_EQUAL);
    change_stack(c->builder, -1);
    return emit_distance(c);
}

static void set_distance(Compiler *c, size_t at, size_t distance, const char *too_far) {
    if (distance > UINT16_MAX)
        error_at_previous(c, too_far);
    if (c->stopped)
        return;
    c->builder->code[at].byte = (uint8_t)(distance >> 8);
    c->builder->code[at + 1].byte = (uint8_t)distance;
}

/* The jump leads here. */
void emit_label(Compiler *c, size_t jump) {
    c->builder->last_op = NO_OP;
    set_distance(c, jump, c->builder->code_count - jump - 2,
                 "Too much code to jump over.");
}

size_t emit_loop_label(Compiler *c) {
    c->builder->last_op = NO_OP;
    return c->builder->code_count;
}

/* A jump back to the label. */
void emit_loop(Compiler *c, size_t label) {
    size_t at = emit_jump(c, OP_LOOP, 0);

    set_distance(c, at, at + 2 - label, "Loop body too large.");
}

void scope_begin(Compiler *c) {
    c->builder->depth++;
}

/* Drops the variables of the scope. */
void scope_end(Compiler *c) {
    Builder *b = c->builder;

    b->depth--;
    while (b->local_count > 0 && b->locals[b->local_count - 1].depth > b->depth) {
        bool captured = b->locals[--b->local_count].captured;
        emit_op(c, captured ? OP_DROP_CAPTURED : OP_DROP, -1);
    }
}

/* The next value pushed is a local variable, which can be used once initialized. */
void local_declare(Compiler *c, const String *name) {
    Builder *b = c->builder;

    for (unsigned i = b->local_count; i-- > 0;) {
        if (b->locals[i].depth != UNINITIALIZED && b->locals[i].depth < b->depth)
            break;
        if (b->locals[i].name == name)
            error_at_previous(c, "Already a variable with this name in this scope.");
    }
    if (b->local_count == LOCALS_MAX)
        error_at_previous(c, "Too many local variables in function.");
    else
        b->locals[b->local_count++] = (Local){.name = name, .depth = UNINITIALIZED};
}

void local_initialize(Compiler *c) {
    Builder *b = c->builder;

    if (b->depth > 0)
        b->locals[b->local_count - 1].depth = b->depth;
}

static int find_local(Compiler *c, const Builder *b, const String *name) {
    for (unsigned i = b->local_count; i-- > 0;) {
        if (b->locals[i].name != name)
            continue;
        if (b->locals[i].depth == UNINITIALIZED)
            error_at_previous(c, "Can't read local variable in its own initializer.");
        return (int)i;
    }
    return -1;
}

static int add_capture(Compiler *c, Builder *b, bool local, int index) {
    for (unsigned i = 0; i < b->capture_count; i++)
        if (b->captures[i].local == local && b->captures[i].index == index)
            return (int)i;
    if (b->capture_count == CAPTURES_MAX) {
        error_at_previous(c, "Too many closure variables in function.");
        return 0;
    }
    b->captures[b->capture_count] =
        (CaptureSource){.local = local, .index = (uint8_t)index};
    return (int)b->capture_count++;
}

/* Looks in the functions around; each one in between captures the variable, too. */
static int find_captured(Compiler *c, Builder *b, const String *name) {
    if (b->outer == NULL)
        return -1;
    int index = find_local(c, b->outer, name);
    if (index >= 0) {
        b->outer->locals[index].captured = true;
        return add_capture(c, b, true, index);
    }
    index = find_captured(c, b->outer, name);
    return index < 0 ? -1 : add_capture(c, b, false, index);
}

Variable variable_find(Compiler *c, const String *name) {
    int index = find_local(c, c->builder, name);
    if (index >= 0)
        return (Variable){OP_LOAD_LOCAL, OP_STORE_LOCAL, (uint8_t)index};
    index = find_captured(c, c->builder, name);
    if (index >= 0)
        return (Variable){OP_LOAD_CAPTURED, OP_STORE_CAPTURED, (uint8_t)index};
    Operand global;
    if (!global_declare(c->vm, name, &global.global))
        give_up(c, "Out of memory.");
    return (Variable){OP_LOAD_GLOBAL, OP_STORE_GLOBAL, add_constant(c, global)};
}

/* Begins a function inside the current one. */
bool builder_open(Compiler *c, FunctionKind kind, const String *name) {
    Builder *b = malloc(sizeof *b);

    if (b == NULL)
        return false;
    memset(b, 0, offsetof(Builder, locals));
    b->outer = c->builder;
    b->kind = kind;
    b->name = name;
    b->last_op = NO_OP;
    b->stack = b->stack_need = 1;
    b->locals[0] = (Local){.name = kind >= FUNCTION_METHOD ? c->this_name : NULL};
    b->local_count = 1;
    c->builder = b;
    return true;
}

/* One block of memory: the arrays lie behind the function, in the order of alignment. */
static Function *function_new(const Builder *b) {
    size_t constants_size = b->constant_count * sizeof(Constant);
    size_t lines_size = b->code_count * sizeof(uint32_t);
    size_t captures_size = b->capture_count * sizeof *b->captures;
    Function *f =
        malloc(sizeof *f + constants_size + lines_size + captures_size + b->code_count);

    if (f == NULL)
        return NULL;
    unsigned char *constants = (unsigned char *)(f + 1);
    unsigned char *lines = constants + constants_size;
    unsigned char *captures = lines + lines_size;
    *f = (Function){.name = b->name,
                    .constants = (Constant *)(void *)constants,
                    .lines = (uint32_t *)(void *)lines,
                    .captures = memcpy(captures, b->captures, captures_size),
                    .code = captures + captures_size,
                    .stack_need = b->stack_need,
                    .constant_count = (uint16_t)b->constant_count,
                    .capture_count = (uint16_t)b->capture_count,
                    .arity = (uint8_t)b->arity};
    for (size_t i = 0; i < b->constant_count; i++)
        f->constants[i] = (Constant){.as = b->constants[i]};
    for (size_t i = 0; i < b->code_count; i++) {
        f->code[i] = b->code[i].byte;
        f->lines[i] = b->code[i].line;
    }
    return f;
}

/* Ends the current function. NULL if there were errors or no memory. */
Function *builder_close(Compiler *c) {
    emit_return(c);
    Builder *b = c->builder;
    Function *function = c->failed ? NULL : function_new(b);
    if (function != NULL) {
        function->next = c->vm->functions;
        c->vm->functions = function;
    } else if (!c->failed) {
        give_up(c, "Out of memory.");
    }
    c->builder = b->outer;
    free(b->code);
    free(b);
    return function;
}
