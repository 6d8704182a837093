/*
 * `restante-mix evidence`: list and export what proves that the gateway lied. A
 * running mix is asked at its desk; else the state directory is read.
 */
#ifndef MIX_EVIDENCECMD_H
#define MIX_EVIDENCECMD_H

#include "mix/daemon.h"
#include "mix/proofs.h"

#define EVIDENCE_VERB "evidence"

struct evidencecmd_options {
	char config[DAEMON_PATH_BYTES], output[DAEMON_PATH_BYTES];
	bool json;
};
extern const struct config_schema evidencecmd_schema;

/* The daemon's side: answer with all texts, one after the other. */
void evidencecmd_answer(struct desk_call *call, const struct proofs *k);
/* The command; settings begin with a struct daemon_settings. Returns the exit code. */
int evidencecmd_run(const struct call *c, const struct config_schema *schema, void *settings);

#endif
