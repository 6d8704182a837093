#include "config.h"

#include "client-lib/command/commands.h"
#include "client-lib/command/place.h"
#include "client-lib/profile.h"

static const struct command commands[] = {
	{ "init", NULL, "make a client directory for a network", 0, 0, &cmd_init_schema, cmd_init },
	{ "agent", NULL, "keep the session and answer the other commands", 0, 0,
	    &cmd_unlock_schema, cmd_agent },
	{ "authorize", "[FILE]", "keep the key that lets our tor in at the gateway", 0, 1,
	    &cmd_authorize_schema, cmd_authorize },
	{ "enrol", "[CODE]", "keep the code by which tickets and stamps are fetched", 0, 1,
	    &cmd_unlock_schema, cmd_enrol },
	{ "stop", NULL, "stop the agent", 0, 0, NULL, cmd_stop },
	{ "invite", "NAME", "make an invitation for somebody you will call NAME", 1, 1,
	    &cmd_invite_schema, cmd_invite },
	{ "accept", "NAME [INVITATION]", "accept an invitation and call the inviter NAME", 1, 2,
	    NULL, cmd_accept },
	{ "send", "NAME [TEXT...]", "send a text (or standard input) or a file", 1, 1024,
	    &cmd_send_schema, cmd_send },
	{ "inbox", NULL, "list messages, follow them, save files", 0, 0, &cmd_inbox_schema,
	    cmd_inbox },
	{ "contacts", "[VERB NAME [NEW-NAME]]",
	    "list, rename, verify, unverify, block, unblock, restart or remove contacts", 0, 3, NULL,
	    cmd_contacts },
	{ "status", NULL, "what the agent is doing, and any alarm", 0, 0, NULL, cmd_status },
	{ "evidence", "[list | export [N]]",
	    "what proves that the gateway lied: list it, or give it to others", 0, 2,
	    &cmd_evidence_schema, cmd_evidence },
	{ "passphrase", NULL, "change what unlocks the directory", 0, 0, &cmd_passphrase_schema,
	    cmd_passphrase },
	{ "backup", "FILE", "write all but the keys of messages to a sealed file", 1, 1,
	    &cmd_backup_schema, cmd_backup },
	{ "restore", "FILE", "make a client directory from a backup", 1, 1, &cmd_backup_schema,
	    cmd_restore },
	{ "charter", "FILE", "take a new version of the network's charter by hand", 1, 1, NULL,
	    cmd_charter },
};

static const struct program program = {
	.name = "restante",
	.summary = "messages that leave no trace of who talks to whom",
	.options = &place_schema,
	.config = &profile_schema,
	.commands = commands,
	.command_count = sizeof(commands) / sizeof(commands[0]),
};

int
main(int argc, char **argv)
{
	return options_main(&program, argc, argv);
}
