/*
 * Test vectors of Noise, 25519_ChaChaPoly_BLAKE2b: values from cacophony
 * (haskell-cryptography/cacophony, vectors/cacophony.txt; public domain).
 * All values are hexadecimal; both sides have the same prologue.
 */
#ifndef TESTS_UNIT_CRYPTO_NOISE_VECTORS_H
#define TESTS_UNIT_CRYPTO_NOISE_VECTORS_H

#include "common/crypto/noise.h"

#define NOISE_VECTOR_MESSAGES 6

struct noise_vector {
	const char *name;
	enum noise_pattern pattern;
	const char *prologue;
	const char *init_static, *init_ephemeral; /* secret keys; NULL: none */
	const char *resp_static, *resp_ephemeral;
	const char *handshake_hash;
	/* handshake and transport messages, sent in turn, the initiator first */
	struct {
		const char *payload, *ciphertext;
	} messages[NOISE_VECTOR_MESSAGES];
};

static const struct noise_vector noise_vectors[] = {
	{
		.name = "Noise_NK_25519_ChaChaPoly_BLAKE2b",
		.pattern = NOISE_NK,
		.prologue = "4a6f686e2047616c74",
		.init_ephemeral =
		    "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
		.resp_static =
		    "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
		.resp_ephemeral =
		    "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
		.handshake_hash =
		    "f87aa4eb6416e5b0d2b6e6f0b7bc41f3c5986a5d32d55c08d67cbd412f3ec2fa"
		    "04d8e358ab95b3bbfab054a140a98eccf4284bb6309b600981d451ecac484932",
		.messages = {
			{ "4c756477696720766f6e204d69736573",
			    "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944"
			    "f3041e39b0c8ba56008f2d1183fea6ac83564ead0267b0842ec4c521ed1e1407" },
			{ "4d757272617920526f746862617264",
			    "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843"
			    "2281dcc1835131f305dca14525e15e27d1f32294aa835e40fc18be480c1db9" },
			{ "462e20412e20486179656b",
			    "357e24e9f28ba22080666f7efacc01b2a0a4e358e742aeeff2aaf5" },
			{ "4361726c204d656e676572",
			    "8b23b34ff3169de06a39551e969ca7876cc5122a4acff74bf2ec29" },
			{ "4a65616e2d426170746973746520536179",
			    "5c104779b6f36e59fca73ed94b0ae092eae1d76dd109caf5060aaaedba385d70"
			    "76" },
			{ "457567656e2042f6686d20766f6e2042617765726b",
			    "34ae0518d0cd3aa641ed372ea94935ceecd87f8c4b422ce21a33d3f6f5493891"
			    "e3e915d83f" },
		},
	},
	{
		.name = "Noise_KK_25519_ChaChaPoly_BLAKE2b",
		.pattern = NOISE_KK,
		.prologue = "4a6f686e2047616c74",
		.init_static =
		    "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1",
		.init_ephemeral =
		    "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
		.resp_static =
		    "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
		.resp_ephemeral =
		    "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
		.handshake_hash =
		    "76dbc866183c8ee7363dbf0ebab8d6355010245f9817aa78359818a03a052586"
		    "d7e8b4bb2ae5622a1a61212df90af04bb2b2cc189ce0e819ba0c4970c9f71805",
		.messages = {
			{ "4c756477696720766f6e204d69736573",
			    "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944"
			    "f79a1d4b21fc3ea4a0c87213b8b4f0599d758682c26a3ae5e09195a3e742bc74" },
			{ "4d757272617920526f746862617264",
			    "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843"
			    "e20b1bf85731f75d7e21b5d54baaa66341de4292c3d42571c1bd7e7f1abe38" },
			{ "462e20412e20486179656b",
			    "25bfaa58833b07cdd6af7c07f2c51daac681a8ac0a02dd373259bd" },
			{ "4361726c204d656e676572",
			    "ef586cff556dec8ef0053871ff0d4bf3f2c72e842487ec6d1da69f" },
			{ "4a65616e2d426170746973746520536179",
			    "3265d50513550a354425d0218ba1e5f25d4994ce8990e6964398dba5982dbcbd"
			    "85" },
			{ "457567656e2042f6686d20766f6e2042617765726b",
			    "f11c02d5c3223d7b9281b52e1b134962b91bc3bfbd1646354dab9fc19b66bf6c"
			    "1e0a6f431e" },
		},
	},
	{
		.name = "Noise_XX_25519_ChaChaPoly_BLAKE2b",
		.pattern = NOISE_XX,
		.prologue = "4a6f686e2047616c74",
		.init_static =
		    "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1",
		.init_ephemeral =
		    "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
		.resp_static =
		    "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
		.resp_ephemeral =
		    "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
		.handshake_hash =
		    "8cf47d7b3cb5804c0109d48e8bcdbee2cbb65687d8ea2c92994ca361fb86151a"
		    "d93627b98936cbb32de56e8abb21def3925011ac3e35db9cbeea73ab9a4392c2",
		.messages = {
			{ "4c756477696720766f6e204d69736573",
			    "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944"
			    "4c756477696720766f6e204d69736573" },
			{ "4d757272617920526f746862617264",
			    "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843"
			    "0505b6745ce64a5f33f0e8e3b83f11ce8802bca507f4f2d8b564dbe277e19661"
			    "16e132faa2dfd70b8b077b9f94b913df5056ae1319469b824a98d54bbaa82c32"
			    "5595587064f978c4b6d104f7596e6f" },
			{ "462e20412e20486179656b",
			    "99579e1c1ee15e422a57ddd6b16d37087b17558e8369c18991b4b2ca3a824abf"
			    "904cdcf5458b5431a75af034ca9e9b982de039eaaf156775e2d580cd4e5ebae8"
			    "9c3f8cb2594b556d8a8169" },
			{ "4361726c204d656e676572",
			    "fc56eea290b3f3a21aac0c70cd5787b5ee99be37d2f4d751329b55" },
			{ "4a65616e2d426170746973746520536179",
			    "bb31c9da10d5639a4cdb88a12f5c61de41bbc7df09bf75d94f8184fe4157f5c6"
			    "8f" },
			{ "457567656e2042f6686d20766f6e2042617765726b",
			    "f6199cadb152fb27f82be0a0891ec76a33598ae92a46cab2fb5a8ed5bf48b7f2"
			    "67f8370af7" },
		},
	},
};

#endif
