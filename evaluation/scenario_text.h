/* What the files scenario*.c share. */
#ifndef EVALUATION_SCENARIO_TEXT_H
#define EVALUATION_SCENARIO_TEXT_H

/* The name of a choice of a key, as the scenario has it. */
const char *scenario_choice(const char *key, int value);

#endif
