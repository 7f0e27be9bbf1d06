/* compile.h - the compiler's parts: lexer.c makes tokens, compile.c parses them, emit.c
   writes the bytecode. */
#ifndef LOX_COMPILE_H
#define LOX_COMPILE_H

#include "vm.h"

/* What a token is: a punctuation character stands for itself. */
typedef enum {
    TOKEN_IDENTIFIER, /* 0, as in symbols that are not reserved */
    TOKEN_AND = 128,
    TOKEN_CLASS,
    TOKEN_ELSE,
    TOKEN_FALSE,
    TOKEN_FOR,
    TOKEN_FUN,
    TOKEN_IF,
    TOKEN_NIL,
    TOKEN_OR,
    TOKEN_PRINT,
    TOKEN_RETURN,
    TOKEN_SUPER,
    TOKEN_THIS,
    TOKEN_TRUE,
    TOKEN_VAR,
    TOKEN_WHILE,
    TOKEN_STRING,
    TOKEN_NUMBER,
    TOKEN_NOT_EQUAL,
    TOKEN_EQUAL_EQUAL,
    TOKEN_LESS_EQUAL,
    TOKEN_GREATER_EQUAL,
    TOKEN_END,
    TOKEN_ERROR,     /* text: what is wrong */
    TOKEN_NO_MEMORY, /* for a symbol */
    TOKEN_KINDS
} TokenKind;

typedef struct {
    unsigned kind; /* TokenKind */
    uint32_t line;
    const char *text;
    size_t length;
    String
        *symbol; /* of identifiers, reserved words and strings (without their quotes) */
} Token;

typedef struct {
    Vm *vm;
    const char *at;
    const char *end;
    uint32_t line;
} Lexer;

typedef struct {
    const String *name; /* NULL: cannot be referred to */
    int depth; /* of its scope; UNINITIALIZED until its declaration is complete */
    bool captured;
} Local;

typedef struct {
    uint8_t byte;
    uint32_t line;
} CodeByte;

typedef enum {
    FUNCTION_SCRIPT,
    FUNCTION_PLAIN,
    FUNCTION_METHOD,
    FUNCTION_INITIALIZER
} FunctionKind;

enum { UNINITIALIZED = -1 };
#define NO_OP SIZE_MAX

/* A function while it is being compiled. */
typedef struct Builder {
    struct Builder *outer;
    FunctionKind kind;
    const String *name;
    unsigned arity;
    CodeByte *code;
    size_t code_count;
    size_t code_capacity;
    size_t last_op; /* offset of the last instruction; NO_OP: a jump leads behind it */
    unsigned stack; /* values in the frame at this point of the code */
    unsigned stack_need;
    int depth; /* of the scope; 0: globals */
    unsigned local_count;
    unsigned capture_count;
    unsigned constant_count;
    Local locals[LOCALS_MAX];
    CaptureSource captures[CAPTURES_MAX];
    Operand constants[CONSTANTS_MAX];
} Builder;

typedef struct ClassScope {
    struct ClassScope *outer;
    bool has_parent;
} ClassScope;

typedef struct {
    Vm *vm;
    Lexer lexer;
    Token current;
    Token previous;
    Builder *builder;
    ClassScope *class;
    const String *this_name;
    unsigned nesting;
    bool failed;
    bool panicking; /* errors are not reported until the next statement */
    bool stopped;   /* nor ever again: the rest of the source is not read */
} Compiler;

/* How the code refers to a variable. */
typedef struct {
    Opcode load;
    Opcode store;
    uint8_t operand;
} Variable;

/* lexer.c: tokens of source[0..length), where source[length] is a zero byte. */
bool lexer_start(Lexer *lexer, Vm *vm, const char *source, size_t length);
Token lexer_next(Lexer *lexer);

/* compile.c */
void error_at_previous(Compiler *c, const char *message);
void give_up(Compiler *c, const char *message);

/* emit.c: errors are reported through the two above. Instructions get the line of the
   previous token; `effect` is by how much they make the stack grow. */
bool builder_open(Compiler *c, FunctionKind kind, const String *name);
Function *builder_close(Compiler *c);
void emit_byte(Compiler *c, uint8_t byte);
void emit_op(Compiler *c, Opcode op, int effect);
void emit_op_with(Compiler *c, Opcode op, uint8_t operand, int effect);
void emit_drop(Compiler *c);
void emit_load_field(Compiler *c, uint8_t name);
void emit_constant(Compiler *c, Value value);
void emit_return(Compiler *c);
size_t emit_jump(Compiler *c, Opcode op, int effect);
size_t emit_unless(Compiler *c);
void emit_label(Compiler *c, size_t jump);
size_t emit_loop_label(Compiler *c);
void emit_loop(Compiler *c, size_t label);
uint8_t add_constant(Compiler *c, Operand constant);
void scope_begin(Compiler *c);
void scope_end(Compiler *c);
void local_declare(Compiler *c, const String *name);
void local_initialize(Compiler *c);
Variable variable_find(Compiler *c, const String *name);

#endif
