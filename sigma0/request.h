/*
 * sigma0/request.h - from a message to its answer, without IPC
 */
#pragma once

#include "ram.h"

/* A message as it arrived. */
struct request {
    long label;        /* of the tag */
    unsigned words;    /* in the message */
    unsigned client;   /* whose gate it came through */
    const l4_umword_t *mr;
};

enum answer_item { ANSWER_NO_ITEM, ANSWER_MEMORY, ANSWER_PORTS, ANSWER_GATE };

struct answer {
    long label; /* 0 or -L4_E... */
    unsigned words;
    l4_umword_t mr[5];
    enum answer_item item;
    l4_addr_t start;     /* ANSWER_MEMORY: the block, also the hot spot; _PORTS: the first */
    unsigned order;
    unsigned rights;     /* enum L4_fpage_rights */
    unsigned attributes; /* 0 inherit, or enum l4_fpage_cacheability_opt_t */
    unsigned client;     /* ANSWER_GATE: the new account */
};

struct request_stats {
    l4_umword_t requests; /* all messages */
    l4_umword_t faults;   /* page faults answered with a page */
};

/* The KIP's page can be asked for by everybody; `kip` is its address. */
void request_handle(struct ram *r, struct request_stats *stats, l4_addr_t kip,
                    const struct request *q, struct answer *a);

/* Hooks: sigma0/main.c has the real ones. */
int request_gate(unsigned client); /* make the account's gate: 0 or -L4_E... */
void request_dump(const struct ram *r, const struct request_stats *stats);
