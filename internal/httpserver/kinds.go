// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package httpserver

import (
	"net/http"
	"time"
)

const (
	mebibyte = 1 << 20
	// maxReview is the size up to which controller-runtime reads an AdmissionReview: two objects, and the metadata of the request.
	maxReview = 7 * mebibyte
	// maxConversion leaves room for one object: the API server has objects converted one at a time.
	maxConversion = 8 * mebibyte
	// MaxPost is the size of a post to an AlertSource.
	MaxPost  = 4 * mebibyte
	maxOther = 1 * mebibyte
	// partsOfBytes is the number of parts into which the bytes of the process are divided among the kinds.
	partsOfBytes = 32
)

// conversionPath is where controller-runtime serves conversions.
const conversionPath = "/convert"

// Kind is one of the servers of the process, and its bounds.
type Kind struct {
	// Name is the value of the metrics' label.
	Name string
	// Connections and Requests bound how many connections and requests there may be at the same time.
	Connections, Requests int64
	// HasAPIServers says that API servers call it, for which half of connections and requests is reserved.
	HasAPIServers bool
	// apiServerBytes and bytes are how many of partsOfBytes parts of the bytes of the process the bodies of its requests may have: from API servers,
	// and from other clients. largest is the size of the largest body.
	apiServerBytes, bytes, largest int64
	// stallsAfter is how long a connection may keep the server waiting, or be idle, while another client needs the room.
	stallsAfter time.Duration
	// maxBody returns how many bytes the body of a request may have.
	maxBody func(*http.Request) int64
}

// The servers.
var (
	// Webhooks serves reviews and conversions. The API server opens a connection for each review in flight: there is room for a request of each.
	Webhooks = Kind{
		Name: "webhooks", Connections: 2048, Requests: 2048, HasAPIServers: true, apiServerBytes: 16, bytes: 8, largest: maxConversion, stallsAfter: time.Second,
		maxBody: func(r *http.Request) int64 {
			if r.URL.Path == conversionPath {
				return maxConversion
			}
			return maxReview
		},
	}
	// Posts serves AlertSources.
	Posts = Kind{Name: "posts", Connections: 512, Requests: 64, bytes: 6, largest: MaxPost, stallsAfter: time.Second, maxBody: atMost(MaxPost)}
	// Metrics serves the metrics of the process.
	Metrics = Kind{Name: "metrics", Connections: 64, Requests: 16, bytes: 1, largest: maxOther, stallsAfter: time.Second, maxBody: atMost(maxOther)}
	// Probes serves liveness and readiness. It keeps no connection, and the kubelet does not wait for one that stalls: its patience is a second.
	Probes = Kind{Name: "probes", Connections: 64, Requests: 16, bytes: 1, largest: maxOther, maxBody: atMost(maxOther)}
)

func atMost(n int64) func(*http.Request) int64 { return func(*http.Request) int64 { return n } }
