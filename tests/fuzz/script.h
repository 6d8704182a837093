/*
 * Inputs of stateful fuzz targets: a list of steps, each a byte that says what is done and
 * what it takes. An input that ends early is as if zeros followed, and says so.
 */
#ifndef TESTS_FUZZ_SCRIPT_H
#define TESTS_FUZZ_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct script {
	const uint8_t *at;
	size_t left;
};

/* What the input promises must hold, whatever it is. */
void must(bool true_);

void script_init(struct script *s, const uint8_t *data, size_t size);
bool script_is_over(const struct script *s);
uint8_t script_byte(struct script *s);
uint16_t script_u16(struct script *s);
/* length u8 || so many bytes (fewer at the end), on a heap block of just that size; free. */
uint8_t *script_bytes(struct script *s, size_t *n);
/* The same, but cut or filled up with zeros to n bytes. */
uint8_t *script_filled(struct script *s, size_t n);
/* length u8 || changes, each where u16 and what u8, that are added to the bytes there. */
void script_change(struct script *s, uint8_t *bytes, size_t n);
/* Bytes on the heap where the compiler's sanitizer counts them, else 0. */
size_t script_heap_bytes(void);

#endif
