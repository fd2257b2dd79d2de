/*
 * job.c - one IPC operation with everything that goes in and everything that comes out
 */
#include "harness.h"

enum { JOBS_MAX = 24 };

static struct job jobs[JOBS_MAX];
static unsigned job_count;
static volatile unsigned done_count;

void jobs_reset(void)
{
    job_count = 0;
    done_count = 0;
}

unsigned jobs_done(void)
{
    return done_count;
}

struct job *job_new(unsigned op, l4_cap_idx_t to)
{
    struct job *j = &jobs[job_count];

    expect(job_count < JOBS_MAX);
    job_count++;
    memset(j, 0, sizeof(*j));
    j->op = op;
    j->to = to;
    for (unsigned i = 0; i < L4_UTCB_GENERIC_DATA_SIZE; i++)
        j->mr[i] = POISON + i;
    return j;
}

void job_words(struct job *j, unsigned message, unsigned n, long label)
{
    for (unsigned i = 0; i < n; i++)
        j->mr[i] = WORD(message, i);
    j->tag = l4_msgtag(label, n, 0, 0);
}

void job_here(struct job *j)
{
    l4_utcb_t *u = l4_utcb();

    memcpy(u->msg.mr, j->mr, sizeof(j->mr));
    u->buf.bdr = j->bdr;
    memcpy(u->buf.br, j->br, sizeof(j->br));
    u->tcr.error = 0x1f; /* no error code; the kernel sets it with every error */
    j->clock_before = l4_kip_clock(l4_kip());
    j->got_tag = l4_ipc(j->to, u, j->op, j->label, j->tag, &j->got_label, j->timeout);
    j->clock_after = l4_kip_clock(l4_kip());
    j->got_error = l4_ipc_error(j->got_tag, u);
    memcpy(j->got, u->msg.mr, sizeof(j->got));
    j->order = ++done_count;
    j->done = true;
}

static void do_jobs(void *arg)
{
    for (struct job *j = arg; j; j = j->next)
        for (unsigned i = 0; i <= j->repeat; i++)
            job_here(j);
}

void job_start(struct child *c, struct job *j)
{
    child_run(c, do_jobs, j);
}
