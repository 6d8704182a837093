/*
 * Short texts that people and tor write: addresses, onion names, dates, keys, enrolment codes.
 * What is understood is written as it was read, wherever there is one way to write it.
 */
#include "config.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/civil.h"
#include "common/base/log.h"
#include "common/charter/tool/keyfile.h"
#include "common/crypto/hsid.h"
#include "common/net/address.h"
#include "common/token/enrolment.h"
#include "gateway/members.h"
#include "tests/fuzz/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_addresses(const char *text)
{
	struct address a;
	enum err e = address_parse(&a, text);
	char again[HSID_SIZE];
	uint8_t pk[32];

	must(e == ERR_OK || e == ERR_USAGE);
	must(address_check(text) == e);
	if (e == ERR_OK)
		must(a.len > 0 && a.len <= sizeof(a.to) &&
		    address_is_unix(&a) == (strncmp(text, "unix:", 5) == 0));
	must(!hsid_is_address(text) || hsid_is_onion(text));
	if (strlen(text) < HSID_CHARS || hsid_parse(pk, text) != ERR_OK)
		return;
	hsid_from_key(again, pk);
	must(strncmp(again, text, HSID_CHARS) == 0);
}

static void
try_dates(const char *text, size_t size)
{
	char again[CIVIL_TEXT_BYTES];
	int64_t wall_ms;

	if (civil_parse(&wall_ms, text, size) != ERR_OK)
		return;
	civil_text(again, wall_ms);
	must(strncmp(again, text, size == CIVIL_TEXT_BYTES - 1 ? size : size - 1) == 0);
}

static void
try_keys(const char *text)
{
	char again[KEYFILE_PUBLIC_BYTES];
	struct diag d = { "" };
	uint8_t pk[32];

	if (keyfile_parse_public(pk, text, &d) == ERR_OK) {
		keyfile_print_public(again, pk);
		must(strcmp(again, text) == 0);
	} else {
		must(d.text[0] != '\0');
	}
	d.text[0] = '\0';
	must(members_parse_key(pk, text, &d) == ERR_OK || d.text[0] != '\0');
	d.text[0] = '\0';
	must(members_check_name(text, &d) == ERR_OK || d.text[0] != '\0');
}

static void
try_codes(const char *text)
{
	static const uint8_t network_id[32] = { 1 };
	uint8_t secret[ENROLMENT_SECRET_BYTES];
	struct diag d = { "" };
	enum log_level level;

	must(enrolment_decode(secret, text, network_id, &d) == ERR_OK || d.text[0] != '\0');
	must(log_level_parse(&level, text) != ERR_OK || level <= LOG_ALARM);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	must(text != NULL && sodium_init() >= 0);
	memcpy(text, data, size);
	text[size] = '\0';
	try_addresses(text);
	try_keys(text);
	try_codes(text);
	free(text);
	try_dates((const char *)data, size);
	return 0;
}
