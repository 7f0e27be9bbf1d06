/* code.h - bytecode: the instruction set, and compiled functions. */
#ifndef LOX_CODE_H
#define LOX_CODE_H

#include "value.h"

/* Instructions of a stack machine: one byte, then operands.
     k  one byte: a constant       s  one byte: a slot of the frame, or a capture
     n  one byte: how many arguments
     d  two bytes, high first: distance of a jump from the next instruction
   The comment gives operands, then the stack before and after. */
typedef enum {
    OP_PUSH_NIL,      /*           -> nil */
    OP_PUSH_FALSE,    /*           -> false */
    OP_PUSH_TRUE,     /*           -> true */
    OP_PUSH_CONST,    /* k         -> value */
    OP_DROP,          /*     value -> */
    OP_DROP_CAPTURED, /*  value ->         the variable lives on in its closures */

    OP_LOAD_LOCAL,    /* s       -> value */
    OP_LOAD_CAPTURED, /* s       -> value */
    OP_LOAD_GLOBAL,   /* k       -> value */
    OP_LOAD_FIELD,    /* k   obj -> value */
    OP_LOAD_OWN,      /* k       -> value   field of `this`, in a method */
    OP_LOAD_SUPER,    /* k   obj -> method */

    OP_STORE_LOCAL,    /* s     value -> value */
    OP_STORE_CAPTURED, /* s     value -> value */
    OP_STORE_GLOBAL,   /* k     value -> value */
    OP_STORE_FIELD,    /* k obj value -> value */
    OP_MOVE_LOCAL,     /* these four are a STORE and a DROP */
    OP_MOVE_CAPTURED,
    OP_MOVE_GLOBAL,
    OP_MOVE_FIELD,
    OP_DEFINE_GLOBAL, /* k      value -> */

    OP_ADD, /* a b -> a + b */
    OP_SUBTRACT,
    OP_MULTIPLY,
    OP_DIVIDE,
    OP_NEGATE,
    OP_NOT,
    OP_EQUAL, /* a b -> boolean; the same order as OP_UNLESS_... */
    OP_NOT_EQUAL,
    OP_LESS,
    OP_LESS_EQUAL,
    OP_GREATER,
    OP_GREATER_EQUAL,

    OP_JUMP,         /* d */
    OP_LOOP,         /* d                   backwards */
    OP_UNLESS,       /* d     value ->      jumps if the value is falsey */
    OP_AND,          /* d     value -> [value]  jumps with it if falsey, else drops it */
    OP_OR,           /* d     value -> [value]  jumps with it if truthy, else drops it */
    OP_UNLESS_EQUAL, /* d     a b ->        jumps if the comparison does not hold */
    OP_UNLESS_NOT_EQUAL,
    OP_UNLESS_LESS,
    OP_UNLESS_LESS_EQUAL,
    OP_UNLESS_GREATER,
    OP_UNLESS_GREATER_EQUAL,

    OP_CALL,         /* n     callee arg... -> result */
    OP_INVOKE,       /* k n   obj arg...    -> result */
    OP_INVOKE_SUPER, /* k n   obj arg...    -> result */
    OP_RETURN,       /*       value -> */
    OP_CLOSURE,      /* k     -> closure */
    OP_CLASS,        /* k     -> class */
    OP_INHERIT,      /*       parent class -> */
    OP_METHOD,       /* k     class closure -> class */
    OP_PRINT         /*       value -> */
} Opcode;

enum { CONSTANTS_MAX = 256, LOCALS_MAX = 256, CAPTURES_MAX = 256, ARGUMENTS_MAX = 255 };

/* What the instruction with this constant found out when it last ran: instances of
   `class` have the name as `method`, or at place `slot`. The collector empties all of
   them. */
typedef struct {
    Class *class;
    Closure *method;
    uint32_t slot;
} Cache;

typedef union {
    Value value;
    const String *name;
    Function *function;
    uint32_t global; /* index in the machine's array of globals */
} Operand;

typedef struct {
    Operand as;
    Cache cache;
} Constant;

/* How a closure gets a captured variable when it is made. */
typedef struct {
    bool local; /* a local variable of the function around it, else one of its captures */
    uint8_t index; /* among those */
} CaptureSource;

/* A compiled function, in one block of memory; it lives as long as the machine. */
struct Function {
    Function *next;     /* all functions of the machine */
    const String *name; /* NULL: the script */
    uint8_t *code;
    uint32_t *lines; /* of the source, for each byte of code */
    Constant *constants;
    const CaptureSource *captures;
    uint32_t stack_need; /* slots that a call takes at most, from the callee's on */
    uint16_t constant_count;
    uint16_t capture_count;
    uint8_t arity;
};

#endif
