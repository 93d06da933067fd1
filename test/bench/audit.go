/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/gophernetes/bellhop/test/internal/audit"
)

// requests are a subject's to the API server.
type requests struct {
	patch, post, del, get float64
	secretGets, events    float64
	lists, watches        float64 // watches that ended, and so began anew
	leases                float64
}

// each is how many there are for each of n objects.
func (r requests) each(n float64) requests {
	return requests{r.patch / n, r.post / n, r.del / n, r.get / n, r.secretGets / n, r.events / n, r.lists / n, r.watches / n, r.leases / n}
}

// writes are all that change something, but for leases and events.
func (r requests) writes() float64 { return r.patch + r.post + r.del }

// count counts a request, but for the reviews by which a process finds out who reads its metrics.
func (r *requests) count(e audit.Event) {
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

// requests are the subject's since an offset in the log, once it makes no more; none about objects of the names in except.
func (s *stage) requests(ctx context.Context, since int64, except ...string) (all requests, err error) {
	if _, err := s.silence(ctx); err != nil {
		return all, err
	}
	made, err := audit.Events(s.audit, since, s.cluster.Namespace, s.cluster.ServiceAccount)
	for _, e := range made {
		if !slices.Contains(except, e.ObjectRef.Name) {
			all.count(e)
		}
	}
	return all, err
}

// silence returns once nobody has asked the API server for anything for half a second, and where its log ends then. The log has all
// requests of the subject, and everybody's about our kinds and Secrets.
func (s *stage) silence(ctx context.Context) (end int64, err error) {
	deadline := time.Now().Add(patience)
	for quiet := 0; quiet < 5; {
		select {
		case <-time.After(100 * time.Millisecond): // nothing else shows it
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
		info, err := os.Stat(s.audit)
		switch {
		case err != nil:
			return 0, err
		case time.Now().After(deadline):
			return 0, errors.New("there is nothing left to do, and still the API server is asked for something")
		case info.Size() != end:
			quiet, end = 0, info.Size()
		default:
			quiet++
		}
	}
	return end, nil
}
