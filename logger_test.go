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
	"bytes"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// spelled counts how often it is written out.
type spelled struct{ times *int }

func (s spelled) String() string {
	*s.times++
	return "demo"
}

func TestValuesAreEncodedOnceSomethingIsLogged(t *testing.T) {
	var out bytes.Buffer
	times := 0
	log := newLogger(&zap.Options{DestWriter: &out}).WithValues("namespace", spelled{&times}).WithValues("name", spelled{&times})
	log.V(1).Info("Nobody asked for that")
	if times != 0 || out.Len() != 0 {
		t.Errorf("values were written out %d times before anything was logged: %q", times, &out)
	}
	log.Info("First")
	log.Info("Second")
	if times != 2 {
		t.Errorf("values were written out %d times, want once each", times)
	}
	for _, want := range []string{`"msg":"First","namespace":"demo","name":"demo"`, `"msg":"Second","namespace":"demo","name":"demo"`} {
		if !bytes.Contains(out.Bytes(), []byte(want)) {
			t.Errorf("%s is not in %s", want, &out)
		}
	}
}
