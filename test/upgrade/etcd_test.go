// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package upgrade_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	. "github.com/onsi/gomega"
)

// stored is a value of etcd.
type stored struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"` // custom resources are stored as JSON
}

// etcd calls the HTTP interface of etcd.
func etcd(ctx context.Context, method string, request, response any) {
	body, err := json.Marshal(request)
	Expect(err).NotTo(HaveOccurred())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, env.Cluster.EtcdURL+"/v3/kv/"+method, bytes.NewReader(body))
	Expect(err).NotTo(HaveOccurred())
	resp, err := http.DefaultClient.Do(r)
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = resp.Body.Close() }()
	Expect(resp.StatusCode).To(Equal(http.StatusOK))
	Expect(json.NewDecoder(resp.Body).Decode(response)).To(Succeed())
}

// readStored returns what etcd has under a prefix.
func readStored(ctx context.Context, prefix string) (all []stored) {
	end := prefix[:len(prefix)-1] + string(prefix[len(prefix)-1]+1)
	var found struct {
		Kvs []struct{ Key, Value []byte }
	}
	etcd(ctx, "range", map[string][]byte{"key": []byte(prefix), "range_end": []byte(end)}, &found)
	for _, kv := range found.Kvs {
		all = append(all, stored{string(kv.Key), kv.Value})
	}
	return all
}

// writeStored writes values as an operator of another version, and the API server, have left them.
func writeStored(ctx context.Context, all []stored) {
	for _, s := range all {
		var value bytes.Buffer
		Expect(json.Compact(&value, s.Value)).To(Succeed())
		etcd(ctx, "put", map[string][]byte{"key": []byte(s.Key), "value": value.Bytes()}, &struct{}{})
	}
}

// replaceAll replaces texts in values.
func replaceAll(all []stored, pairs ...string) (changed []stored) {
	for _, s := range all {
		changed = append(changed, stored{s.Key, json.RawMessage(strings.NewReplacer(pairs...).Replace(string(s.Value)))})
	}
	return changed
}

// changeEach changes the objects in values.
func changeEach(all []stored, change func(key string, object map[string]any)) (changed []stored) {
	for _, s := range all {
		var object map[string]any
		Expect(json.Unmarshal(s.Value, &object)).To(Succeed())
		change(s.Key, object)
		value, err := json.Marshal(object)
		Expect(err).NotTo(HaveOccurred())
		changed = append(changed, stored{s.Key, value})
	}
	return changed
}

// find decodes the value of an object.
func find(all []stored, resource, name string, into any) {
	for _, s := range all {
		if strings.HasSuffix(s.Key, fmt.Sprintf("/%s/%s/%s", resource, namespace, name)) {
			Expect(json.Unmarshal(s.Value, into)).To(Succeed())
			return
		}
	}
	Expect(name).To(BeEmpty(), "it is not among the stored objects")
}
