//go:build !darwin && !linux

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

import "os"

// lock creates the cache folder. This system has no lock, so two processes may build the same program. Each renames the program when
// it is complete, so that only time is lost.
func (f *finder) lock() (unlock func(), err error) {
	return func() {}, os.MkdirAll(f.cache, 0o755)
}
