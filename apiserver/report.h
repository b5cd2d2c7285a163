/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the API server does: /livez, /readyz and /metrics on a port of their own.
 *
 * It is ready when all objects have been read once, and no longer when it is stopping.  Losing
 * Kubernetes does not make it unready: what is in memory can still be read, and all replicas would
 * go at once.
 */
#ifndef KHARON_APISERVER_REPORT_H
#define KHARON_APISERVER_REPORT_H

#include "apiserver/api.h"
#include "apiserver/server.h"
#include "base/metrics.h"

struct api_report;

/* Listens at `address`; NULL: nowhere.  Sets the metrics of `api` too.  All arguments outlive the
 * report. */
bool api_report_new(struct api *api, struct server *server, struct metrics *metrics,
                    const char *address, struct api_report **ret_report, struct error *err);
void api_report_free(struct api_report *r);
int api_report_port(const struct api_report *r);

#endif
