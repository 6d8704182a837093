#include "config.h"

#include "evaluation/html.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* The bytes of the UTF-8 character at s; 0 if there is none (RFC 3629). */
static size_t
utf8_bytes(const unsigned char *s)
{
	size_t n = *s < 0x80 ? 1 : *s >= 0xc2 && *s < 0xe0 ? 2 : *s >= 0xe0 && *s < 0xf0 ? 3 :
	    *s >= 0xf0 && *s < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] >= 0xa0) ||
	    (*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] >= 0x90))
		return 0;
	return n;
}

static const char *
reference(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

static bool
is_control(const unsigned char *s, size_t n)
{
	return (n == 1 && ((*s < 0x20 && *s != '\t' && *s != '\n') || *s == 0x7f)) ||
	    (n == 2 && *s == 0xc2 && s[1] < 0xa0);
}

void
html_text(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	while (*s != '\0') {
		size_t n = utf8_bytes(s);
		const char *r = reference((char)*s);

		if (n == 0)
			(void)fputs("\xef\xbf\xbd", out);
		else if (r != NULL)
			(void)fputs(r, out);
		else if (!is_control(s, n))
			(void)fwrite(s, 1, n, out);
		s += n > 0 ? n : 1;
	}
}

void
html_element(FILE *out, const char *tag, const char *text)
{
	(void)fprintf(out, "<%s>", tag);
	html_text(out, text);
	(void)fprintf(out, "</%.*s>\n", (int)strcspn(tag, " "), tag);
}

void
html_row(FILE *out, const char *name, const char *text)
{
	(void)fputs("<tr><th scope=\"row\">", out);
	html_text(out, name);
	(void)fputs("</th><td>", out);
	html_text(out, text);
	(void)fputs("</td></tr>\n", out);
}

/*
 * Neither script nor anything from elsewhere: the policy forbids both, should a text ever
 * come through that was meant to be more.
 */
static const char style[] =
    ":root{color-scheme:light;--line:#d4d4d8;--soft:#52525b}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:#f4f4f5;color:#18181b;font:16px/1.5 system-ui,\"DejaVu Sans\","
    "sans-serif}\n"
    "main{max-width:72rem;margin:0 auto;padding:1rem}\n"
    "h1{font-size:1.6rem;line-height:1.2;margin:.5rem 0 1rem}\n"
    "h2{font-size:1.25rem;margin:0 0 .5rem;overflow-wrap:anywhere}\n"
    "h3{font-size:1rem;margin:1.5rem 0 .5rem}\n"
    "section{background:#fff;border:1px solid var(--line);border-radius:.5rem;padding:1rem;"
    "margin:0 0 1.5rem}\n"
    "p{margin:.4rem 0;max-width:48rem;overflow-wrap:anywhere}\n"
    ".soft{color:var(--soft);font-size:.9rem}\n"
    ".words{border-left:4px solid #1b6ca8;padding:.1rem 0 .1rem .8rem;margin:.8rem 0}\n"
    ".warn{border-left-color:#c2410c}\n"
    ".wide{overflow-x:auto}\n"
    "table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}\n"
    "th,td{text-align:right;padding:.25rem .6rem;border-bottom:1px solid var(--line);"
    "vertical-align:top;white-space:nowrap}\n"
    "th:first-child,td.text,th.text{text-align:left}\n"
    "td.long{white-space:normal;min-width:14rem;text-align:left}\n"
    "table.pairs{width:100%;table-layout:fixed}\n"
    "table.pairs th{width:38%;white-space:normal;overflow-wrap:anywhere}\n"
    "table.pairs td{text-align:left;white-space:normal;overflow-wrap:anywhere}\n"
    "thead th{border-bottom:2px solid #71717a;vertical-align:bottom;white-space:normal;"
    "min-width:3.5rem}\n"
    "tbody th{font-weight:500}\n"
    ".wide th:first-child{position:sticky;left:0;background:#fff;white-space:normal;"
    "overflow-wrap:break-word;min-width:5.5rem;max-width:36vw}\n"
    ".plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));"
    "gap:1rem}\n"
    "figure{margin:.5rem 0;min-width:0;max-width:33rem}\n"
    "figcaption{font-weight:600;font-size:.95rem;margin-bottom:.25rem}\n"
    "figure svg{display:block;width:100%;height:auto}\n"
    ".legend{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;margin:.25rem 0 0;"
    "padding:0;font-size:.85rem}\n"
    ".legend li{display:flex;align-items:center;gap:.4rem}\n"
    ".legend svg{width:34px;height:10px;flex:none}\n"
    "pre{overflow-x:auto;background:#f4f4f5;padding:.75rem;border-radius:.25rem;font-size:.8rem;"
    "line-height:1.4}\n"
    "code{overflow-wrap:anywhere;font-size:.85em}\n"
    "summary{cursor:pointer;padding:.25rem 0}\n"
    "@media (max-width:30rem){main{padding:.5rem}section{padding:.75rem}"
    "th,td{padding:.25rem .4rem}}\n"
    "@media print{body{background:#fff}section{break-inside:avoid}}\n";

void
html_begin(FILE *out, const char *title)
{
	(void)fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		    "style-src 'unsafe-inline'\">\n", out);
	html_element(out, "title", title);
	(void)fprintf(out, "<style>\n%s</style>\n</head>\n<body>\n<main>\n", style);
	html_element(out, "h1", title);
}

void
html_end(FILE *out)
{
	(void)fputs("</main>\n</body>\n</html>\n", out);
}
