// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/gophernetes/bellhop/test/internal/audit"
)

// requestCounts are numbers of requests of the subject to the API server.
type requestCounts struct {
	patch, post, del, get float64
	secretGets, events    float64
	lists, watches        float64 // watches counts those that ended and were started again
	leases                float64
}

// perObject divides the counts by the number of objects.
func (r requestCounts) perObject(n float64) requestCounts {
	return requestCounts{r.patch / n, r.post / n, r.del / n, r.get / n, r.secretGets / n, r.events / n, r.lists / n, r.watches / n, r.leases / n}
}

// writes counts requests that change something, without leases and events.
func (r requestCounts) writes() float64 { return r.patch + r.post + r.del }

// add counts a request, unless it is a review by which a process authorizes a client of its metrics.
func (r *requestCounts) add(e audit.Event) {
	switch {
	case e.ObjectRef.APIGroup == "authentication.k8s.io" || e.ObjectRef.APIGroup == "authorization.k8s.io":
	case e.ObjectRef.Resource == "leases":
		r.leases++
	case e.ObjectRef.Resource == "events":
		r.events++
	case e.ObjectRef.Resource == "secrets" && e.Verb == "get":
		r.secretGets++
	case e.Verb == "patch" || e.Verb == "update":
		r.patch++
	case e.Verb == "create":
		r.post++
	case e.Verb == "delete":
		r.del++
	case e.Verb == "get":
		r.get++
	case e.Verb == "list":
		r.lists++
	case e.Verb == "watch":
		r.watches++
	}
}

// countRequests waits until the subject sends no more requests, and counts those since an offset in the audit log. It leaves out
// requests about objects with the names in except.
func (env *environment) countRequests(ctx context.Context, since int64, except ...string) (all requestCounts, err error) {
	if _, err := env.waitForSilence(ctx); err != nil {
		return all, err
	}
	made, err := audit.Read(env.auditLogPath, since, env.cluster.Namespace, env.cluster.ServiceAccount)
	for _, e := range made {
		if !slices.Contains(except, e.ObjectRef.Name) {
			all.add(e)
		}
	}
	return all, err
}

// waitForSilence returns once no request was logged for half a second, with the size of the audit log. The log has all requests of
// the subject, and those of everybody about Bellhop's kinds and Secrets.
func (env *environment) waitForSilence(ctx context.Context) (end int64, err error) {
	deadline := time.Now().Add(stallTimeout)
	for quiet := 0; quiet < 5; {
		select {
		case <-time.After(100 * time.Millisecond): // only the absence of requests shows that the subject is idle
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
		info, err := os.Stat(env.auditLogPath)
		switch {
		case err != nil:
			return 0, err
		case time.Now().After(deadline):
			return 0, errors.New("the subject or a client still sends requests to the API server, although all objects are done")
		case info.Size() != end:
			quiet, end = 0, info.Size()
		default:
			quiet++
		}
	}
	return end, nil
}
