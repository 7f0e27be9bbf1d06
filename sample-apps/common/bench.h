/*
 * bench.h: keeps a compiler from deleting what a benchmark computes. C11, GCC or Clang.
 *
 * Neither function is an instruction of its own, nor a barrier for the processor or other
 * threads: they bind the compiler alone.
 *
 *     for (size_t i = 0; i < repetitions; i++) {
 *         int result;
 *         black_box(&input);         // may be another one in each repetition
 *         result = compute(&input);
 *         black_box(&result);        // may be looked at
 *     }
 */
#ifndef BENCH_H
#define BENCH_H

#ifndef __GNUC__
#error "bench.h needs the inline assembly of GCC or Clang"
#endif

/*
 * The compiler has to assume that the object at the address is looked at and may be
 * changed, and that the address is kept somewhere, so that later clobber_memory()
 * concerns it too: what was stored there is really stored, and is loaded anew afterwards.
 * The same holds for all memory that clobber_memory() concerns. The address need not be
 * that of an object.
 */
static inline void black_box(void *pointer) {
    __asm__ volatile("" : : "r"(pointer) : "memory");
}

/*
 * The same for everything that other code could reach: globals, and objects whose address
 * has escaped, as through black_box(). Local variables whose address never left the
 * function are not concerned: stores to them can still be deleted.
 */
static inline void clobber_memory(void) {
    __asm__ volatile("" : : : "memory");
}

#endif
