/*
 * The points of low order on Curve25519 and its twist, in every encoding that
 * X25519 takes: times any clamped scalar they give zero. From the table of
 * D. J. Bernstein's page "A state-of-the-art Diffie-Hellman function" (the
 * canonical ones: 0, 1, two of order 8, p-1; the others are those plus p).
 */
#ifndef TESTS_UNIT_CRYPTO_LOW_ORDER_H
#define TESTS_UNIT_CRYPTO_LOW_ORDER_H

static const char *const low_order_points[] = {
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};
#define LOW_ORDER_COUNT (sizeof(low_order_points) / sizeof(low_order_points[0]))

#endif
