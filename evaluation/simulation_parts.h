/*
 * What a simulation is made of; for simulation.c and simulation_counts.c only.
 */
#ifndef EVALUATION_SIMULATION_PARTS_H
#define EVALUATION_SIMULATION_PARTS_H

#include "evaluation/simulation.h"
#include "evaluation/slots.h"
#include "evaluation/stream.h"
#include "evaluation/timeheap.h"
#include "mix/pool.h"

#define SIMULATION_FIRST_ROOM 1024

/* A token's kind besides enum token_content: so many that are alike as its message says. */
#define TOKEN_COUNTED 3

/* What a mix holds while packets without a message are only counted. */
struct counted {
	uint32_t *handles; /* of those with one */
	size_t count, room;
	size_t others;
};

struct node {
	struct pool *pool;
	struct stream stream; /* of the pool alone */
	unsigned layer;
	struct counted counted;
};

struct person {
	struct slots slots; /* due_ms: when the next packet is sent, by whatever law */
	int64_t message_ms;
	uint64_t message;
};

/* A packet on its way to its next hop. */
struct transfer {
	int64_t at_ms;
	uint32_t handle;
};

/* All are as long on their way: a ring in the order of their arrival. */
struct transfers {
	struct transfer *ring;
	size_t first, count, room;
};

struct simulation {
	struct simulation_config cfg;
	const struct params *params;
	struct stream stream; /* senders, by other laws than that of slots */
	struct stream ways;   /* of packets that are counted */
	bool counting;	      /* within simulation_count */
	int64_t counted_ms;   /* slots before are accounted for */
	struct node *nodes;
	uint32_t node_count;
	uint32_t layer_first[PARAMS_LAYERS_MAX + 1];
	struct person *persons;
	struct timeheap senders, flushes;
	struct transfers transfers;
	struct token *tokens;
	uint32_t *delays; /* of a token's hops, layers to each */
	bool delayed;	  /* a layer heeds the packets' own delays */
	uint32_t *spare;  /* free handles */
	size_t token_room, spare_count;
	uint32_t *batch; /* handles of a flush, and of the round */
	size_t batch_room;
	uint32_t *deposits;
	size_t deposit_count, deposit_room;
	uint64_t round;
	int64_t now_ms;
	enum err failure;
	struct simulation_counts counts;
};

/* Room for at least so many elements of this size. ERR_MEMORY. */
RST_MUST_USE enum err simulation_grow(void **p, size_t *room, size_t least, size_t size);
/* A free handle; no memory stops the run and gives SIMULATION_NO_HANDLE. */
#define SIMULATION_NO_HANDLE UINT32_MAX
uint32_t simulation_take(struct simulation *s);
void simulation_end(struct simulation *s, uint32_t handle);
/* A packet gets on its way to its next hop, where it comes at at_ms. */
void simulation_carry(struct simulation *s, uint32_t handle, int64_t at_ms);
/* The next one of these comes now. */
uint32_t simulation_arriving(struct simulation *s);
/* It left the last layer. */
void simulation_exit(struct simulation *s, uint32_t handle);
/* A round of the gateway ends. */
void simulation_end_round(struct simulation *s);
/* What is sent at this time, unless it is a note. */
enum token_content simulation_kind(struct simulation *s, const struct person *p, int64_t at_ms,
    bool note);
void simulation_next_message(struct simulation *s, uint32_t person, int64_t after_ms);
bool simulation_online(struct simulation *s, uint32_t person, int64_t at_ms);
void simulation_count_sent(struct simulation *s, enum token_content kind);
/* Observers are told; while packets are counted, only those who want it. */
void simulation_tell_sent(struct simulation *s, int64_t at_ms, uint32_t handle);

#endif
