#include "config.h"

#include "tests/fuzz/script.h"

#include <stdlib.h>
#include <string.h>

size_t __sanitizer_get_current_allocated_bytes(void);
__attribute__((weak)) size_t __sanitizer_get_current_allocated_bytes(void);

void
must(bool true_)
{
	if (!true_)
		abort();
}

void
script_init(struct script *s, const uint8_t *data, size_t size)
{
	*s = (struct script){ data, size };
}

bool
script_is_over(const struct script *s)
{
	return s->left == 0;
}

uint8_t
script_byte(struct script *s)
{
	if (s->left == 0)
		return 0;
	s->left--;
	return *s->at++;
}

uint16_t
script_u16(struct script *s)
{
	unsigned low = script_byte(s);

	return (uint16_t)(low | (unsigned)script_byte(s) << 8);
}

uint8_t *
script_bytes(struct script *s, size_t *n)
{
	size_t len = script_byte(s);
	uint8_t *out;

	if (len > s->left)
		len = s->left;
	out = malloc(len == 0 ? 1 : len);
	must(out != NULL);
	memcpy(out, s->at, len);
	s->at += len;
	s->left -= len;
	*n = len;
	return out;
}

uint8_t *
script_filled(struct script *s, size_t n)
{
	size_t len;
	uint8_t *bytes = script_bytes(s, &len), *out = calloc(1, n);

	must(out != NULL);
	memcpy(out, bytes, len < n ? len : n);
	free(bytes);
	return out;
}

void
script_change(struct script *s, uint8_t *bytes, size_t n)
{
	for (unsigned count = script_byte(s) % 8; count > 0; count--) {
		size_t at = script_u16(s) % n;

		bytes[at] = (uint8_t)(bytes[at] + script_byte(s));
	}
}

size_t
script_heap_bytes(void)
{
	return __sanitizer_get_current_allocated_bytes == NULL ? 0 :
	    __sanitizer_get_current_allocated_bytes();
}
