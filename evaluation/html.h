/*
 * Writing HTML: everything that is not a constant of this program goes through html_text or
 * html_attribute. Errors show in ferror(out).
 */
#ifndef EVALUATION_HTML_H
#define EVALUATION_HTML_H

#include <stdio.h>

/*
 * Text between tags, or in a quoted attribute: & < > " ' as references, control characters
 * left out but for tab and line feed, bytes that are no UTF-8 as U+FFFD.
 */
void html_text(FILE *out, const char *s);
/* <tag>text</tag> and a line feed; tag is a constant. */
void html_element(FILE *out, const char *tag, const char *text);
/* A row of a table: name and text. */
void html_row(FILE *out, const char *name, const char *text);
/* The page from <!doctype> to the beginning of <main>, and its end. */
void html_begin(FILE *out, const char *title);
void html_end(FILE *out);

#endif
