/*
 * sigma0/request.h - from a message to its answer, without IPC
 */
#pragma once

#include "ram.h"

enum { REQUEST_WORDS = 6 }; /* more than these no operation reads */

/* A message as it arrived. */
struct request {
    long label;       /* of the tag */
    unsigned words;   /* in the message */
    l4_umword_t gate; /* slot of the gate through which it came */
    unsigned slot;    /* where the capability landed that came along; 0: none came */
    l4_uint64_t now;  /* KIP clock */
    l4_umword_t mr[REQUEST_WORDS];
};

enum answer_item { ANSWER_NO_ITEM, ANSWER_MEMORY, ANSWER_PORTS, ANSWER_GATE };

struct answer {
    long label; /* 0, SIGMA0_RAM_MORE or -L4_E... */
    unsigned words;
    l4_umword_t mr[63];
    enum answer_item item;
    unsigned items;      /* ANSWER_MEMORY: pieces */
    struct {
        l4_addr_t start; /* ANSWER_PORTS: the first */
        unsigned order;
    } piece[RAM_BLOCKS_MAX];
    l4_addr_t place;     /* ANSWER_MEMORY: send base of the first, the others follow */
    bool one_to_one;     /* the send base of each is its address */
    unsigned rights;     /* enum L4_fpage_rights */
    unsigned attributes; /* 0 inherit, or enum l4_fpage_cacheability_opt_t */
    unsigned gate;       /* ANSWER_GATE: the slot */
    bool slot_taken;     /* the capability in request.slot is kept */
    /* What this answer brings is new: the number of the account that has it, or that it is. */
    l4_umword_t fresh;
};

struct service {
    struct ram ram;
    l4_addr_t kip;        /* its page can be asked for by everybody */
    l4_umword_t requests; /* all messages */
    l4_umword_t faults;   /* page faults answered with a page */
};

void request_handle(struct service *s, const struct request *q, struct answer *a);

/* The answer could not be delivered: what was made or taken for it goes back. */
void request_undo(struct service *s, const struct answer *a);

/* A piece of memory as the item of the answer, with send base = address. */
void answer_memory(struct answer *a, l4_addr_t start, unsigned order, unsigned rights);

/* The RAM service: label MEM_ALLOC; service.c */
long ram_service(struct service *s, struct account *c, const struct request *q, struct answer *a);
/* A new account: label FACTORY; service.c */
long ram_factory(struct service *s, struct account *c, const struct request *q, struct answer *a);
/* Counters: label STATS; service.c */
long ram_statistics(const struct service *s, const struct account *c, const struct request *q,
                    struct answer *a);
/* Address and order of a memory flexpage; -L4_EINVAL when it cannot be one. */
int request_flexpage(l4_umword_t raw, l4_addr_t *start, unsigned *order);

/* Hooks: sigma0/main.c has the real ones. */
int request_gate(unsigned slot); /* make the account's gate: 0 or -L4_E... */
void request_dump(const struct service *s);
