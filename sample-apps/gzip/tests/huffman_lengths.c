/* huffman_lengths.c -- prints code lengths: huffman_lengths LIMIT COUNT... */
#include "../gzip.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    uint32_t counts[SYMBOLS_MAX];
    uint8_t lengths[SYMBOLS_MAX];
    unsigned symbols = (unsigned)argc - 2;
    if (argc < 4 || symbols > SYMBOLS_MAX)
        return EXIT_FAILURE;
    for (unsigned i = 0; i < symbols; i++)
        counts[i] = (uint32_t)strtoul(argv[i + 2], NULL, 10);
    huffman_lengths(counts, symbols, (unsigned)strtoul(argv[1], NULL, 10), lengths);
    for (unsigned i = 0; i < symbols; i++)
        printf("%u\n", lengths[i]);
    return EXIT_SUCCESS;
}
