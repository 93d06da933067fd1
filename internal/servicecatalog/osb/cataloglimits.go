// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osb

import (
	"context"
	"fmt"
	"strconv"

	"golang.org/x/sync/semaphore"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
)

// CatalogLimits bound a catalog: each entry becomes an object.
type CatalogLimits struct {
	Bytes   int
	Entries int // services and plans
	// Otherwise is advice for a catalog that exceeds the limits; empty: no advice.
	Otherwise string
}

// DefaultCatalogLimits are for brokers of cluster administrators. Other brokers have lower limits.
var DefaultCatalogLimits = CatalogLimits{Bytes: 16 << 20, Entries: 50_000}

// tooLong returns the error of a catalog that was not read to its end.
func (l CatalogLimits) tooLong(resp *outbound.Response) error {
	size := fmt.Sprintf("more than %d", l.Bytes)
	if length, err := strconv.ParseInt(resp.Header.Get("Content-Length"), 10, 64); err == nil && length > int64(l.Bytes) {
		size = strconv.FormatInt(length, 10)
	}
	return fmt.Errorf("it has %s bytes, and %d are the limit%s", size, l.Bytes, l.otherwise())
}

// tooMany returns the error of a catalog with so many entries.
func (l CatalogLimits) tooMany(entries int) error {
	return fmt.Errorf("it has %d services and plans, and %d are the limit%s", entries, l.Entries, l.otherwise())
}

func (l CatalogLimits) otherwise() string {
	if l.Otherwise == "" {
		return ""
	}
	return "; " + l.Otherwise
}

// decodedBytes bounds the catalogs that are decoded at a time, which takes about six times as much memory. It is the size of the largest one.
const decodedBytes = 16 << 20

// decoding bounds the memory of all clients together, however many catalogs arrive at once. Only the decoding counts, so that a broker that
// sends its catalog slowly delays no other.
var decoding = semaphore.NewWeighted(decodedBytes)

// decodeCatalog reads a catalog when there is memory for it.
func (c *Client) decodeCatalog(ctx context.Context, a answer) (*osbresult.Catalog, error) {
	size := min(int64(len(a.body)), decodedBytes)
	if err := decoding.Acquire(ctx, size); err != nil {
		return nil, err
	}
	defer decoding.Release(size)
	return readCatalog(a, c.limits)
}
