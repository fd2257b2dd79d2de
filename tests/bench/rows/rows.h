/*
 * rows.h - the parts of this program; each prints its rows
 */
#pragma once

void measure_ipc(void);
void measure_faults(void);
void measure_maps(void);
void measure_objects(void);
void measure_growth(void);
void measure_latency(void);
