#include "config.h"

#include "common/net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define UNIX_PREFIX "unix:"

/* A decimal port, up to the end of the text. */
static enum err
parse_port(in_port_t *out, const char *s)
{
	unsigned long port = 0;

	if (*s < '1' || *s > '9')
		return ERR_USAGE;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9')
			return ERR_USAGE;
		port = port * 10 + (unsigned long)(*s - '0');
		if (port > 65535)
			return ERR_USAGE;
	}
	*out = htons((uint16_t)port);
	return ERR_OK;
}

static enum err
parse_unix(struct address *out, const char *path)
{
	size_t n = strlen(path);

	if (path[0] != '/' || n >= sizeof(out->to.local.sun_path))
		return ERR_USAGE;
	for (size_t i = 0; i < n; i++) {
		if (path[i] < 0x20 || path[i] > 0x7e)
			return ERR_USAGE;
	}
	out->to.local.sun_family = AF_UNIX;
	memcpy(out->to.local.sun_path, path, n + 1);
	out->len = sizeof(out->to.local);
	return ERR_OK;
}

/* Copy the host part [s, end) into a string for inet_pton. */
static enum err
copy_host(char out[static INET6_ADDRSTRLEN], const char *s, const char *end)
{
	size_t n = (size_t)(end - s);

	if (n >= INET6_ADDRSTRLEN)
		return ERR_USAGE;
	memcpy(out, s, n);
	out[n] = '\0';
	return ERR_OK;
}

static enum err
parse_ipv6(struct address *out, const char *text)
{
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6};
	const char *end = strchr(text, ']');
	char host[INET6_ADDRSTRLEN];

	if (end == NULL || end[1] != ':' || parse_port(&sin6.sin6_port, end + 2) != ERR_OK ||
	    copy_host(host, text + 1, end) != ERR_OK ||
	    inet_pton(AF_INET6, host, &sin6.sin6_addr) != 1)
		return ERR_USAGE;
	memcpy(&out->to.storage, &sin6, sizeof(sin6));
	out->len = sizeof(sin6);
	return ERR_OK;
}

static enum err
parse_ipv4(struct address *out, const char *text)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	const char *end = strchr(text, ':');
	char host[INET6_ADDRSTRLEN];

	if (end == NULL || parse_port(&sin.sin_port, end + 1) != ERR_OK ||
	    copy_host(host, text, end) != ERR_OK || inet_pton(AF_INET, host, &sin.sin_addr) != 1)
		return ERR_USAGE;
	memcpy(&out->to.storage, &sin, sizeof(sin));
	out->len = sizeof(sin);
	return ERR_OK;
}

enum err
address_parse(struct address *out, const char *text)
{
	struct address a = {0};
	enum err e;

	if (strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
		e = parse_unix(&a, text + strlen(UNIX_PREFIX));
	else if (text[0] == '[')
		e = parse_ipv6(&a, text);
	else
		e = parse_ipv4(&a, text);
	if (e == ERR_OK)
		*out = a;
	return e;
}

enum err
address_check(const char *text)
{
	struct address ignored;

	return address_parse(&ignored, text);
}

bool
address_is_unix(const struct address *a)
{
	return a->to.any.sa_family == AF_UNIX;
}
