/*
 * A Diffie-Hellman of no strength at a thirtieth of the price: multiplication modulo
 * 2^255 - 19 in X25519's place (the linker's --wrap). All sizes, packets and states are
 * as with the real one, which takes most of a packet's time.
 */
#ifndef TESTS_SOAK_CHEAP_H
#define TESTS_SOAK_CHEAP_H

#include <stdbool.h>

/* Before any key is made. */
void cheap_use(bool cheap);

#endif
