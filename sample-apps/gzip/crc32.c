/* crc32.c -- CRC-32 (RFC 1952, 8), sixteen bytes at a time. */
#include "gzip.h"

/* table[k][b] is the CRC register after byte b and k zero bytes. */
static uint32_t table[16][256];

static uint32_t shift_byte(uint32_t crc) {
    for (int bit = 0; bit < 8; bit++)
        crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xEDB88320) : 0);
    return crc;
}

static void fill_table(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        table[0][byte] = shift_byte(byte);
        for (int k = 1; k < 16; k++)
            table[k][byte] = shift_byte(table[k - 1][byte]);
    }
}

/* What the four bytes of `word` add to the register after `zeros` more bytes. */
static uint32_t four_bytes(uint32_t word, unsigned zeros) {
    return table[zeros + 3][word & 255] ^ table[zeros + 2][word >> 8 & 255] ^
           table[zeros + 1][word >> 16 & 255] ^ table[zeros][word >> 24];
}

static uint32_t sixteen_bytes(uint32_t crc, const uint8_t *data) {
    return four_bytes(load_le32(data) ^ crc, 12) ^ four_bytes(load_le32(data + 4), 8) ^
           four_bytes(load_le32(data + 8), 4) ^ four_bytes(load_le32(data + 12), 0);
}

uint32_t crc32_update(uint32_t crc, const uint8_t *data, size_t size) {
    if (table[0][1] == 0)
        fill_table();
    crc = ~crc;
    for (; size >= 16; size -= 16, data += 16)
        crc = sixteen_bytes(crc, data);
    for (; size > 0; size--, data++)
        crc = crc >> 8 ^ table[0][(crc ^ *data) & 255];
    return ~crc;
}
