//go:build !darwin && !linux

// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "os"

// lock creates the cache folder. This system has no lock, so two processes may build the same program. Each renames the program when
// it is complete, so that only time is lost.
func (f *finder) lock() (unlock func(), err error) {
	return func() {}, os.MkdirAll(f.cache, 0o755)
}
