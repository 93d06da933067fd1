// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogsync

import (
	"fmt"
	"hash/fnv"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// Digest identifies a set of classes and plans, in any order. Objects that are marked as removed do not count.
func Digest(classes []v1beta1.Class, plans []v1beta1.Plan) string {
	var count, sum uint64
	add := func(o Object) {
		if *RemovedFlag(o) || o.GetUID() == "" {
			return
		}
		hash := fnv.New64a()
		fmt.Fprintf(hash, "%T/%s/%d", o, o.GetUID(), o.GetGeneration())
		count, sum = count+1, sum+hash.Sum64()
	}
	for _, class := range classes {
		add(class)
	}
	for _, plan := range plans {
		add(plan)
	}
	return fmt.Sprintf("%d-%016x", count, sum)
}

// RemovedFlag returns status.removedFromBrokerCatalog of a class or plan.
func RemovedFlag(o Object) *bool {
	switch o := o.(type) {
	case v1beta1.Class:
		return &o.CommonStatus().RemovedFromBrokerCatalog
	case v1beta1.Plan:
		return &o.CommonStatus().RemovedFromBrokerCatalog
	default:
		panic(fmt.Sprintf("%T is neither a class nor a plan", o)) // a programming error
	}
}
