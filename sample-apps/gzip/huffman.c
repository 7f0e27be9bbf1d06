/* huffman.c -- canonical Huffman codes, and the alphabets of DEFLATE (RFC 1951, 3.2). */
#include "gzip.h"

#include <string.h>

const struct range length_ranges[LITERAL_SYMBOLS - FIRST_LENGTH] = {
    {3, 0},   {4, 0},   {5, 0},   {6, 0},   {7, 0},  {8, 0},  {9, 0},  {10, 0},
    {11, 1},  {13, 1},  {15, 1},  {17, 1},  {19, 2}, {23, 2}, {27, 2}, {31, 2},
    {35, 3},  {43, 3},  {51, 3},  {59, 3},  {67, 4}, {83, 4}, {99, 4}, {115, 4},
    {131, 5}, {163, 5}, {195, 5}, {227, 5}, {258, 0}};

const struct range distance_ranges[DISTANCE_SYMBOLS] = {
    {1, 0},     {2, 0},     {3, 0},     {4, 0},      {5, 1},      {7, 1},
    {9, 2},     {13, 2},    {17, 3},    {25, 3},     {33, 4},     {49, 4},
    {65, 5},    {97, 5},    {129, 6},   {193, 6},    {257, 7},    {385, 7},
    {513, 8},   {769, 8},   {1025, 9},  {1537, 9},   {2049, 10},  {3073, 10},
    {4097, 11}, {6145, 11}, {8193, 12}, {12289, 12}, {16385, 13}, {24577, 13}};

const struct range repeat_ranges[LENGTH_SYMBOLS - FIRST_REPEAT] = {
    {3, 2}, {3, 3}, {11, 7}};

const uint8_t length_code_order[LENGTH_SYMBOLS] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                   11, 4,  12, 3, 13, 2, 14, 1, 15};

void huffman_fixed_lengths(uint8_t lengths[SYMBOLS_MAX]) {
    memset(lengths, 8, 144);
    memset(lengths + 144, 9, 256 - 144);
    memset(lengths + 256, 7, 280 - 256);
    memset(lengths + 280, 8, SYMBOLS_MAX - 280);
}

/* A leaf of the Huffman tree before it has a place there: count << 16 | symbol. */
typedef uint32_t leaf;

static void sort_by_digit(const leaf *from, leaf *to, unsigned size, unsigned shift) {
    unsigned place[256] = {0}, sum = 0;
    for (unsigned i = 0; i < size; i++)
        place[from[i] >> shift & 255]++;
    for (unsigned digit = 0; digit < 256; digit++) {
        unsigned size_of_digit = place[digit];
        place[digit] = sum;
        sum += size_of_digit;
    }
    for (unsigned i = 0; i < size; i++)
        to[place[from[i] >> shift & 255]++] = from[i];
}

/* The used symbols, and unused ones where there are not two of them, by rising count. */
static unsigned collect_leaves(const uint32_t *counts, unsigned symbols, leaf *leaves) {
    leaf unsorted[SYMBOLS_MAX];
    unsigned size = 0;
    for (unsigned symbol = 0; symbol < symbols; symbol++)
        if (counts[symbol] > 0)
            unsorted[size++] = counts[symbol] << 16 | symbol;
    for (unsigned symbol = 0; size < 2; symbol++)
        if (counts[symbol] == 0)
            unsorted[size++] = symbol;
    sort_by_digit(unsorted, leaves, size, 16);
    sort_by_digit(leaves, unsorted, size, 24);
    memcpy(leaves, unsorted, size * sizeof *leaves);
    return size;
}

/* Joins the two lightest of leaves and earlier joints until one is left. Both come in
   rising order, so that the lightest are always first in line. parent[i] is the joint
   above the i-th node, nodes being numbered leaves first. */
static void build_tree(const leaf *leaves, unsigned size, uint16_t *parent) {
    uint32_t weight[2 * SYMBOLS_MAX];
    unsigned next_leaf = 0, next_joint = size;
    for (unsigned i = 0; i < size; i++)
        weight[i] = leaves[i] >> 16;
    for (unsigned joint = size; joint < 2 * size - 1; joint++) {
        weight[joint] = 0;
        for (int child = 0; child < 2; child++) {
            bool is_leaf = next_joint == joint ||
                           (next_leaf < size && weight[next_leaf] <= weight[next_joint]);
            unsigned lightest = is_leaf ? next_leaf++ : next_joint++;
            weight[joint] += weight[lightest];
            parent[lightest] = (uint16_t)joint;
        }
    }
}

/* used[n] becomes the number of leaves n levels down; those below `limit` count there. */
static void count_lengths(const uint16_t *parent, unsigned size, unsigned limit,
                          unsigned used[CODE_BITS_MAX + 1]) {
    uint16_t depth[2 * SYMBOLS_MAX];
    memset(used, 0, (CODE_BITS_MAX + 1) * sizeof *used);
    depth[2 * size - 2] = 0;
    for (unsigned node = 2 * size - 2; node-- > 0;) {
        depth[node] = (uint16_t)(depth[parent[node]] + 1);
        if (node < size)
            used[depth[node] < limit ? depth[node] : limit]++;
    }
}

/* Makes room for the codes that were cut to the limit: one of them becomes the sibling of
   a shorter code, which grows by a bit. That lowers the Kraft sum by 2^-limit. */
static void make_room(unsigned used[CODE_BITS_MAX + 1], unsigned limit) {
    uint32_t kraft = 0;
    for (unsigned length = 1; length <= limit; length++)
        kraft += used[length] << (limit - length);
    for (; kraft > 1U << limit; kraft--) {
        unsigned length = limit - 1;
        while (used[length] == 0)
            length--;
        used[length]--;
        used[length + 1] += 2;
        used[limit]--;
    }
}

void huffman_lengths(const uint32_t *counts, unsigned symbols, unsigned limit,
                     uint8_t *lengths) {
    leaf leaves[SYMBOLS_MAX];
    uint16_t parent[2 * SYMBOLS_MAX];
    unsigned used[CODE_BITS_MAX + 1];
    unsigned size = collect_leaves(counts, symbols, leaves);
    build_tree(leaves, size, parent);
    count_lengths(parent, size, limit, used);
    make_room(used, limit);
    memset(lengths, 0, symbols);
    for (unsigned length = limit, i = 0; length > 0; length--)
        for (unsigned n = used[length]; n > 0; n--)
            lengths[leaves[i++] & 0xFFFF] = (uint8_t)length;
}

static uint16_t reverse_bits(unsigned code, unsigned length) {
    unsigned reversed = 0;
    for (; length > 0; length--, code >>= 1)
        reversed = reversed << 1 | (code & 1);
    return (uint16_t)reversed;
}

static void count_used(const uint8_t *lengths, unsigned symbols, uint16_t *used) {
    memset(used, 0, (CODE_BITS_MAX + 1) * sizeof *used);
    for (unsigned symbol = 0; symbol < symbols; symbol++)
        used[lengths[symbol]]++;
    used[0] = 0;
}

/* first[n] becomes the first code of n bits. Returns how many bit strings of
   CODE_BITS_MAX bits begin with no code; negative if there are too many codes. */
static int assign_first_codes(const uint16_t *used, uint16_t *first) {
    unsigned code = 0;
    int unassigned = 1 << CODE_BITS_MAX;
    for (unsigned length = 1; length <= CODE_BITS_MAX; length++) {
        code = (code + used[length - 1]) << 1;
        first[length] = (uint16_t)code;
        unassigned -= used[length] << (CODE_BITS_MAX - length);
    }
    return unassigned;
}

void huffman_codes(const uint8_t *lengths, unsigned symbols, uint16_t *codes) {
    uint16_t used[CODE_BITS_MAX + 1], next[CODE_BITS_MAX + 1];
    count_used(lengths, symbols, used);
    assign_first_codes(used, next);
    for (unsigned symbol = 0; symbol < symbols; symbol++)
        if (lengths[symbol] > 0)
            codes[symbol] = reverse_bits(next[lengths[symbol]]++, lengths[symbol]);
}

static void sort_symbols(struct huffman_decoder *decoder, const uint8_t *lengths,
                         unsigned symbols) {
    uint16_t next[CODE_BITS_MAX + 1];
    decoder->start[0] = 0;
    for (unsigned length = 1; length <= CODE_BITS_MAX; length++)
        next[length] = decoder->start[length] =
            (uint16_t)(decoder->start[length - 1] + decoder->used[length - 1]);
    for (unsigned symbol = 0; symbol < symbols; symbol++)
        if (lengths[symbol] > 0)
            decoder->sorted[next[lengths[symbol]]++] = (uint16_t)symbol;
}

static void fill_lookup(struct huffman_decoder *decoder) {
    memset(decoder->lookup, 0, sizeof decoder->lookup);
    for (unsigned length = 1; length <= LOOKUP_BITS; length++)
        for (unsigned n = 0; n < decoder->used[length]; n++) {
            unsigned symbol = decoder->sorted[decoder->start[length] + n];
            unsigned bits = reverse_bits(decoder->first[length] + n, length);
            for (; bits < 1 << LOOKUP_BITS; bits += 1U << length)
                decoder->lookup[bits] = (uint16_t)(symbol << 4 | length);
        }
}

bool huffman_decoder_init(struct huffman_decoder *decoder, const uint8_t *lengths,
                          unsigned symbols) {
    count_used(lengths, symbols, decoder->used);
    int unassigned = assign_first_codes(decoder->used, decoder->first);
    bool sparse = unassigned == 1 << CODE_BITS_MAX ||
                  (unassigned == 1 << (CODE_BITS_MAX - 1) && decoder->used[1] == 1);
    if (unassigned != 0 && !sparse)
        return false;
    sort_symbols(decoder, lengths, symbols);
    fill_lookup(decoder);
    return true;
}

static int decode_long(const struct huffman_decoder *decoder, struct bit_reader *in) {
    unsigned code = 0;
    for (unsigned length = 1; length <= CODE_BITS_MAX; length++) {
        code = code << 1 | (in->bits >> (length - 1) & 1);
        unsigned rank = code - decoder->first[length];
        if (rank < decoder->used[length]) {
            bits_take(in, length);
            return decoder->sorted[decoder->start[length] + rank];
        }
    }
    return -1;
}

int huffman_decode(const struct huffman_decoder *decoder, struct bit_reader *in) {
    unsigned entry = decoder->lookup[in->bits & ((1 << LOOKUP_BITS) - 1)];
    if (entry == 0)
        return decode_long(decoder, in);
    in->bits >>= entry & 15;
    in->count -= (int)(entry & 15);
    return (int)(entry >> 4);
}
