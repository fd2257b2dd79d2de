/*
 * icu.c - the interrupt controller as an object: which interrupt object gets which line
 *
 * The sixteen lines of the two 8259 controllers (x86/pic.c). A line is masked unless an object is
 * bound to it and somebody has unmasked it.
 */
#include "devices.h"
#include "factory.h"
#include "index.h"
#include "irq.h"
#include "x86/pic.h"

struct object icu_object OBJECT_ALIGNED;

static struct irq *lines[PIC_LINES];

void icu_mask(struct irq *i, bool mask)
{
    i->held = false;
    if (i->line != IRQ_NO_LINE)
        pic_mask(i->line, mask);
}

void icu_unbind(struct irq *i)
{
    if (i->line == IRQ_NO_LINE)
        return;
    icu_mask(i, true);
    lines[i->line] = NULL;
    i->line = IRQ_NO_LINE;
}

void icu_interrupt(unsigned line)
{
    struct irq *i = lines[line];

    if (!pic_ack(line))
        return;
    if (!i || i->level || i->pending)
        pic_mask(line, true);
    if (!i)
        return;
    i->held = i->pending && !i->level;
    irq_trigger(i);
}

static long bind(struct invocation *iv, uint64_t line)
{
    struct object *o;
    int err = item_object(iv, 0, OBJ_IRQ, L4_CAP_FPAGE_W, &o);

    if (err == -L4_EINVAL)
        err = item_object(iv, 0, OBJ_SEMAPHORE, L4_CAP_FPAGE_W, &o);
    if (err)
        return err;
    if (line >= PIC_LINES || line == PIC_CASCADE || (lines[line] && lines[line] != irq_of(o)))
        return -L4_EINVAL;
    icu_unbind(irq_of(o));
    line = index_below(line, PIC_LINES);
    lines[line] = irq_of(o);
    lines[line]->line = (uint8_t)line;
    lines[line]->level = pic_level(line);
    return 0; /* unmask at the object */
}

/* Polarity is the wiring's business. -L4_EINVAL: both edges, or a line that cannot be so. */
static long set_mode(uint64_t line, uint64_t mode)
{
    if (line >= PIC_LINES)
        return -L4_EINVAL;
    if (!(mode & 1)) /* L4_IRQ_F_SET_MODE */
        return 0;
    if ((mode & 8) || !pic_set_level((unsigned)line, mode & 2))
        return -L4_EINVAL;
    line = index_below(line, PIC_LINES);
    if (lines[line])
        lines[line]->level = mode & 2;
    return 0;
}

static long icu_invoke(struct invocation *iv)
{
    static const uint8_t words[8] = {
        [L4_ICU_BIND_OP] = 2, [L4_ICU_UNBIND_OP] = 2,   [L4_ICU_INFO_OP] = 1,
        [L4_ICU_UNMASK_OP] = 2, [L4_ICU_MASK_OP] = 2, [L4_ICU_SET_MODE_OP] = 3,
    };
    uint64_t *mr = iv->utcb->msg.mr, op = mr[0] & 0xffff, line = mr[1], mode = mr[2];
    unsigned needed = words[index_below(op, sizeof(words))];
    struct irq *i = line < PIC_LINES ? lines[index_below(line, PIC_LINES)] : NULL;

    if (msgtag_label(iv->tag) != L4_PROTO_IRQ)
        return -L4_EBADPROTO;
    if (msgtag_words(iv->tag) < 1)
        return -L4_EMSGTOOSHORT;
    if (op >= sizeof(words) || !needed)
        return -L4_ENOSYS;
    if (msgtag_words(iv->tag) < needed)
        return -L4_EMSGTOOSHORT;
    switch (op) {
    case L4_ICU_BIND_OP:
        return bind(iv, line);
    case L4_ICU_UNBIND_OP:
        if (i)
            icu_unbind(i);
        return 0;
    case L4_ICU_INFO_OP:
        mr[0] = 0;
        mr[1] = PIC_LINES;
        mr[2] = 0;
        iv->words = 3;
        return 0;
    case L4_ICU_SET_MODE_OP:
        return set_mode(line, mode);
    default:
        if (i)
            icu_mask(i, op == L4_ICU_MASK_OP);
        return 0;
    }
}

const struct object_ops icu_ops = {"icu", icu_invoke, object_never_reap, object_never_release};
