/*
 * prove/fpage.c - Frama-C proves the flexpage and window arithmetic for all 64-bit inputs
 *
 * The code under proof is included unchanged; what is here are contracts, merged by Frama-C with
 * the functions of the same name. WP shows that every contract holds and that nothing overflows,
 * shifts too far or divides by zero (-wp-rte).
 *
 * WP reasons in integers and knows little about `&`, so some facts about it stand here as axioms;
 * tools/prove states them again in bit vectors, and z3 proves those for every order.
 */
#include <stdint.h>

typedef uint64_t word;

/*@ axiomatic Bits {
      logic integer pow2(integer k) = 1 << k;
      axiom pow2_range: \forall integer k; 0 <= k <= 62 ==> 1 <= pow2(k) <= 0x4000000000000000;
      axiom low: \forall word x, m, integer k;
          0 <= k <= 62 ==> m == pow2(k) - 1 ==> (x & m) == x % pow2(k);
      axiom high: \forall word x, m, integer k;
          0 <= k <= 62 ==> m == pow2(k) - 1 ==> (x & (word)~m) == x - x % pow2(k);
      axiom middle: \forall word x, l, s, integer j, k;
          0 <= j <= k <= 62 ==> l == pow2(k) - 1 ==> s == pow2(j) - 1 ==>
              (x & (l & (word)~s)) == x % pow2(k) - (x % pow2(k)) % pow2(j);
      axiom above: \forall word x, l, s, integer j;
          0 <= j <= 62 ==> l == 0xffffffffffffffff ==> s == pow2(j) - 1 ==>
              (x & (l & (word)~s)) == x - x % pow2(j);
      axiom none: \forall word x, l, s; s == 0xffffffffffffffff ==> (x & (l & (word)~s)) == 0;
      axiom none_of_one: \forall word x, s; s == 0xffffffffffffffff ==> (x & (word)~s) == 0;
      axiom shifts: \forall word x, integer k;
          0 <= k <= 63 ==> (word)((x >> k) << k) == x - x % pow2(k);
      axiom room: \forall word x, integer k;
          0 <= k <= 62 ==> 0 <= x - x % pow2(k) <= 0x10000000000000000 - pow2(k);
      axiom remainder: \forall word x, integer k; 0 <= k <= 62 ==> 0 <= x % pow2(k) < pow2(k);
      axiom remainders: \forall word x, integer j, k; 0 <= j <= k <= 62 ==>
          0 <= (x % pow2(k)) % pow2(j) <= x % pow2(k);
    }
*/

/*@ assigns \nothing;
    ensures order >= 63 ==> \result == 0xffffffffffffffff;
    ensures order <= 62 ==> \result == pow2(order) - 1;
*/
static inline word order_mask(unsigned order);

/*@ assigns \nothing;
    ensures order >= 64 ==> \result == 0;
    ensures order <= 63 ==> \result == x - x % pow2(order);
*/
static inline word align_down(word x, unsigned order);

#include "../../libl4/common/fpage.c"

/* The rule as the documents state it, in division and remainder. Order 63: the whole space. */
/*@ logic integer size_of(integer k) = k >= 63 ? 0x10000000000000000 : pow2(k);
    logic integer base_of(integer x, integer k) = k >= 63 ? 0 : x - x % pow2(k);
    logic integer part_of(integer h, integer big, integer small) =
        small >= 63 ? 0 : big >= 63 ? h - h % pow2(small)
                        : h % pow2(big) - (h % pow2(big)) % pow2(small);
*/

/*@ assigns \nothing;
    ensures \result.order == (send_order <= rcv_order ? send_order : rcv_order);
    ensures send_order <= rcv_order ==> \result.src == base_of(send_base, send_order);
    ensures send_order <= rcv_order ==> \result.dst == base_of(rcv_base, rcv_order) +
                                                      part_of(hot_spot, rcv_order, send_order);
    ensures send_order > rcv_order ==> \result.dst == base_of(rcv_base, rcv_order);
    ensures send_order > rcv_order ==> \result.src == base_of(send_base, send_order) +
                                                     part_of(hot_spot, send_order, rcv_order);
*/
struct meeting fpage_meet(l4_umword_t send_base, unsigned send_order, l4_umword_t rcv_base,
                          unsigned rcv_order, l4_umword_t hot_spot);

/* For Eva: every function of the header, with any arguments. */
volatile word any;

void any_arguments(void)
{
    l4_fpage_t f = fpage_make(any, any, any, any);
    struct window w = fpage_window(f);

    //@ assert 0 <= w.order <= 63;
    f.raw = any;
    f = fpage_mem(any, any, any);
    f.raw = any;
    unsigned rights = fpage_rights(f), type = fpage_type(f), order = fpage_order(f);
    //@ assert rights <= 15 && type <= 3 && order <= 63;
    word addr = fpage_addr(f), number = fpage_index(f);
    //@ assert number <= 0xfffffffffffff;
    struct meeting m = fpage_meet(addr, order, number, any, any);
    align_down(m.src, any);
    order_mask(any);
}
