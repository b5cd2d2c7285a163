/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the operator tells of itself: /livez, /readyz and /metrics.
 */
#ifndef KHARON_OPERATOR_REPORT_H
#define KHARON_OPERATOR_REPORT_H

#include "base/error.h"
#include "base/metrics.h"
#include "operator/operator.h"

struct report;

/* Listens at `address` from now on (NULL: nowhere), and adds the operator's series to `metrics`.
 * Operator and metrics must outlive the report. */
bool report_new(struct operator *op, struct metrics *metrics, const char *address,
                struct report **ret_report, struct error *err);
void report_free(struct report *report);
int report_port(const struct report *report);

#endif
