// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package healthrules

import "testing"

// The revisions of an Application are one, or those of several sources.
func TestIsSuperseded(t *testing.T) {
	for name, c := range map[string]struct {
		operated, sync string
		want           bool
	}{
		"the same":                   {operated: `"revision":"a"`, sync: `"status":"Synced","revision":"a"`},
		"another":                    {operated: `"revision":"a"`, sync: `"status":"Synced","revision":"b"`, want: true},
		"another, out of sync":       {operated: `"revision":"a"`, sync: `"status":"OutOfSync","revision":"b"`},
		"none was operated":          {sync: `"status":"Synced","revision":"b"`},
		"the same of several":        {operated: `"revision":"","revisions":["a","c"]`, sync: `"status":"Synced","revisions":["a","c"]`},
		"another of several":         {operated: `"revision":"","revisions":["a","c"]`, sync: `"status":"Synced","revisions":["b","c"]`, want: true},
		"none of several was synced": {operated: `"revisions":["a","c"]`, sync: `"status":"Synced","revisions":[]`},
		"of another form":            {operated: `"revisions":[{}]`, sync: `"status":"Synced","revisions":[{}]`},
	} {
		o := parse(t, `{"kind":"Application","status":{"operationState":{"syncResult":{`+c.operated+`}},"sync":{`+c.sync+`}}}`)
		if got := isSuperseded(statusOf(o)); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
