/* gc.c - memory for objects, and the garbage collector. Small objects lie in blocks of
   cells of one size, larger ones alone. The collector marks what the machine can reach
   and sweeps the rest. Its list of reached objects only makes it fast: what there was no
   memory for is found again by walking the heap. */
#include "vm.h"

#include <stdlib.h>

enum {
    BLOCK_SIZE = 32 * 1024,
    HEADROOM_MIN = 1 << 20 /* bytes to allocate at least between two collections */
};

typedef struct FreeCell {
    Object head;
    struct FreeCell *next;
} FreeCell;

/* Cells of one size. */
typedef struct Block {
    struct Block *next;
    size_t cell_size;
    size_t cell_count;
    _Alignas(CELL_GRAIN) unsigned char cells[];
} Block;

/* An object that lies alone. */
typedef struct Large {
    struct Large *next;
    size_t size;
    Object object[];
} Large;

static Object *block_cell(Block *block, size_t i) {
    return (Object *)(void *)(block->cells + i * block->cell_size);
}

static void cell_free(Object *object, FreeCell **list) {
    object->kind = OBJECT_FREE;
    ((FreeCell *)object)->next = *list;
    *list = (FreeCell *)object;
}

static bool gray_push(Heap *heap, Object *object) {
    if (heap->gray_count == GRAY_MAX)
        return false;
    Object **gray =
        array_extend(heap->gray, heap->gray_count, &heap->gray_capacity, sizeof *gray);
    if (gray == NULL)
        return false;
    heap->gray = gray;
    heap->gray[heap->gray_count++] = object;
    return true;
}

static void mark_object(Heap *heap, Object *object) {
    if (object->mark != MARK_NONE)
        return;
    if (object->kind == OBJECT_STRING || object->kind == OBJECT_NATIVE) {
        object->mark = MARK_SCANNED;
        return;
    }
    object->mark = MARK_REACHED;
    if (!gray_push(heap, object))
        heap->gray_lost = true;
}

static void mark_value(Heap *heap, Value value) {
    if (is_object(value))
        mark_object(heap, as_object(value));
}

static void scan_closure(Heap *heap, Closure *closure) {
    if (closure->owner != NULL)
        mark_object(heap, &closure->owner->head);
    for (unsigned i = 0; i < closure->function->capture_count; i++)
        if (closure->captures[i] != NULL)
            mark_object(heap, &closure->captures[i]->head);
}

static void scan_class(Heap *heap, Class *class) {
    if (class->parent != NULL)
        mark_object(heap, &class->parent->head);
    for (uint32_t i = 0; i < class->methods.capacity; i++)
        if (class->methods.entries[i].name != NULL)
            mark_object(heap, &class->methods.entries[i].item.method->head);
}

static void scan_instance(Heap *heap, Instance *instance) {
    mark_object(heap, &instance->class->head);
    for (uint32_t i = 0; i < instance->capacity; i++)
        mark_value(heap, instance->fields[i]);
}

static void scan(Heap *heap, Object *object) {
    object->mark = MARK_SCANNED;
    switch ((ObjectKind)object->kind) {
    case OBJECT_CLOSURE:
        scan_closure(heap, (Closure *)object);
        break;
    case OBJECT_CAPTURE:
        mark_value(heap, *((Capture *)object)->place);
        break;
    case OBJECT_CLASS:
        scan_class(heap, (Class *)object);
        break;
    case OBJECT_INSTANCE:
        scan_instance(heap, (Instance *)object);
        break;
    case OBJECT_BOUND:
        mark_value(heap, ((Bound *)object)->receiver);
        mark_object(heap, &((Bound *)object)->method->head);
        break;
    case OBJECT_FREE:
    case OBJECT_STRING:
    case OBJECT_NATIVE:
        break; /* refer to nothing */
    }
}

static void scan_gray(Heap *heap) {
    while (heap->gray_count > 0)
        scan(heap, heap->gray[--heap->gray_count]);
}

static void scan_if_reached(Heap *heap, Object *object) {
    if (object->kind != OBJECT_FREE && object->mark == MARK_REACHED)
        scan(heap, object);
    scan_gray(heap);
}

/* Walks the heap for reached objects that the list had no room for. */
static void scan_lost(Heap *heap) {
    heap->gray_lost = false;
    for (Block *block = heap->blocks; block != NULL; block = block->next)
        for (size_t i = 0; i < block->cell_count; i++)
            scan_if_reached(heap, block_cell(block, i));
    for (Large *large = heap->large; large != NULL; large = large->next)
        scan_if_reached(heap, large->object);
}

static void mark_roots(Vm *vm) {
    for (Value *slot = vm->stack; slot < vm->sp; slot++)
        mark_value(&vm->heap, *slot);
    for (Frame *frame = vm->frames; frame < vm->frame_end; frame++)
        mark_object(&vm->heap, &frame->closure->head);
    for (Capture *capture = vm->open_captures; capture != NULL; capture = capture->next)
        mark_object(&vm->heap, &capture->head);
    for (uint32_t i = 0; i < vm->global_count; i++)
        mark_value(&vm->heap, vm->globals[i].value);
}

/* Unmarks a live object; counts out a dead one. True: it lives. */
static bool object_sweep(Vm *vm, Object *object, size_t size) {
    if (object->mark != MARK_NONE) {
        object->mark = MARK_NONE;
        return true;
    }
    object_release(vm, object);
    vm->heap.bytes -= size;
    return false;
}

/* Chains the block's unused cells before *free; returns how many are in use. */
static size_t block_sweep(Vm *vm, Block *block, FreeCell **free) {
    size_t used = 0;

    for (size_t i = block->cell_count; i-- > 0;) {
        Object *object = block_cell(block, i);
        if (object->kind != OBJECT_FREE && object_sweep(vm, object, block->cell_size)) {
            used++;
            continue;
        }
        cell_free(object, free);
    }
    return used;
}

static void blocks_sweep(Vm *vm) {
    Heap *heap = &vm->heap;

    memset(heap->free, 0, sizeof heap->free);
    for (Block **link = &heap->blocks; *link != NULL;) {
        Block *block = *link;
        FreeCell **list = &heap->free[block->cell_size / CELL_GRAIN];
        FreeCell *before = *list;
        if (block_sweep(vm, block, list) > 0) {
            link = &block->next;
        } else {
            *list = before;
            *link = block->next;
            free(block);
        }
    }
}

static void larges_sweep(Vm *vm) {
    for (Large **link = &vm->heap.large; *link != NULL;) {
        Large *large = *link;
        if (object_sweep(vm, large->object, large->size)) {
            link = &large->next;
        } else {
            *link = large->next;
            free(large);
        }
    }
}

/* Empties the caches of all instructions. */
void forget_cached(Vm *vm) {
    for (Function *function = vm->functions; function != NULL; function = function->next)
        for (unsigned i = 0; i < function->constant_count; i++)
            function->constants[i].cache = (Cache){0};
}

static void collect_garbage(Vm *vm) {
    Heap *heap = &vm->heap;

    forget_cached(vm);
    mark_roots(vm);
    scan_gray(heap);
    while (heap->gray_lost)
        scan_lost(heap);
    blocks_sweep(vm);
    larges_sweep(vm);
    size_t headroom = heap->bytes < HEADROOM_MIN ? HEADROOM_MIN : heap->bytes;
    heap->threshold =
        headroom < heap->max - heap->bytes ? heap->bytes + headroom : heap->max;
}

/* Counts `size` more bytes, after collecting garbage if it is time. A heap that is full
   to a sixteenth after that is refused more, as it would do little else but collect. */
static bool heap_reserve(Vm *vm, size_t size) {
    Heap *heap = &vm->heap;

    if (GC_STRESS || size > heap->threshold || heap->bytes > heap->threshold - size) {
        size_t usable = heap->max - heap->max / 16;
        collect_garbage(vm);
        if (size > usable || heap->bytes > usable - size)
            return false;
    }
    heap->bytes += size;
    return true;
}

static bool block_add(Heap *heap, size_t cell_size) {
    size_t count = (BLOCK_SIZE - sizeof(Block)) / cell_size;
    Block *block = malloc(BLOCK_SIZE);

    if (block == NULL)
        return false;
    *block = (Block){.next = heap->blocks, .cell_size = cell_size, .cell_count = count};
    heap->blocks = block;
    for (size_t i = count; i-- > 0;)
        cell_free(block_cell(block, i), &heap->free[cell_size / CELL_GRAIN]);
    return true;
}

static void *cell_new(Heap *heap, size_t size) {
    FreeCell **list = &heap->free[size / CELL_GRAIN];

    if (*list == NULL && !block_add(heap, size))
        return NULL;
    FreeCell *cell = *list;
    *list = cell->next;
    return cell;
}

static void *large_new(Heap *heap, size_t size) {
    Large *large = malloc(sizeof *large + size);

    if (large == NULL)
        return NULL;
    large->next = heap->large;
    large->size = size;
    heap->large = large;
    return large->object;
}

/* An object of which only the head is set. */
void *object_new(Vm *vm, ObjectKind kind, size_t size) {
    size_t rounded = (size + CELL_GRAIN - 1) / CELL_GRAIN * CELL_GRAIN;

    if (!heap_reserve(vm, rounded))
        return NULL;
    Object *object = rounded <= CELL_MAX ? cell_new(&vm->heap, rounded)
                                         : large_new(&vm->heap, rounded);
    if (object == NULL) {
        vm->heap.bytes -= rounded;
        return NULL;
    }
    object->kind = (uint8_t)kind;
    object->mark = MARK_NONE;
    return object;
}

/* realloc() for the arrays that objects own; new_size 0 frees and returns NULL. When it
   fails the array is as before. */
void *array_resize(Vm *vm, void *array, size_t old_size, size_t new_size) {
    if (new_size == 0) {
        free(array);
        vm->heap.bytes -= old_size;
        return NULL;
    }
    if (!heap_reserve(vm, new_size))
        return NULL;
    void *resized = realloc(array, new_size);
    vm->heap.bytes -= resized == NULL ? new_size : old_size;
    return resized;
}

/* Frees all objects. */
void heap_free(Vm *vm) {
    blocks_sweep(vm);
    larges_sweep(vm);
    free(vm->heap.gray);
}
