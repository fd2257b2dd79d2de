/*
 * ioports/ports.h - what the tests of I/O ports share
 *
 * The ports used are the DMA controller's page registers: 0x81, 0x82, 0x83 and 0x87 keep a byte
 * each, and nothing happens when they are written.
 */
#pragma once

#include "harness.h"

#include <abi/stats.h>

enum { PORT = 0x81, BLOCK = 512, BLOCK_ORDER = 9, WHOLE = L4_WHOLE_IOADDRESS_SPACE };

extern const struct test faults_tests[], rules_tests[], tree_tests[];

/* All ports from sigma0 for the test; and back, before kernel memory is counted. */
void ports_get(void);
void ports_back(void);
long ports_ask(l4_cap_idx_t sigma0, l4_fpage_t fp);

/* The task of the test is L4_BASE_TASK_CAP. */
long port_map(l4_cap_idx_t to, l4_cap_idx_t from, unsigned port, unsigned order);
long port_map_with(l4_cap_idx_t to, l4_cap_idx_t from, l4_fpage_t fp, unsigned grant);
void port_unmap(l4_cap_idx_t task, unsigned port, unsigned order, l4_umword_t mask);

/* Can the child use these ports? It tries `in` on each. */
void ports_try(struct child *c, const unsigned short *ports, unsigned n, bool *held);
bool holds(struct child *c, unsigned port);
/* Bytes of kernel memory that all tests' objects use. */
l4_umword_t used(void);
