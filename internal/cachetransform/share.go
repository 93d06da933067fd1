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

package cachetransform

import (
	"hash/maphash"
	"reflect"
	"sync"

	"k8s.io/client-go/tools/cache"
)

// ShareForCache has the objects of caches that strip has dealt with share what is equal in
// them, see sharer.
func ShareForCache(strip cache.TransformFunc) cache.TransformFunc {
	s := newSharer()
	return func(obj any) (any, error) {
		obj, err := strip(obj)
		if err == nil {
			s.share(obj)
		}
		return obj, err
	}
}

// maxShared is how many texts, and how many other parts, a sharer has in mind. A slot has
// what was seen last, so that what many objects say stays and what one says does not.
const maxShared = 1 << 12

// sharer has equal parts of objects be one part in memory: who has asked, labels,
// references, reasons. They are most of what thousands of objects take. Nobody may change
// an object then, which is so in a cache.
type sharer struct {
	mu    sync.Mutex
	seed  maphash.Seed
	texts [maxShared]string
	parts [maxShared]part
}

// part is a pointer, slice or map, and the sum of what it has.
type part struct {
	sum   uint64
	value reflect.Value
}

func newSharer() *sharer { return &sharer{seed: maphash.MakeSeed()} }

// share has an object, which is a pointer to a struct, use what was seen before where that
// is equal.
func (s *sharer) share(obj any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sum(reflect.ValueOf(obj).Elem())
}

// sum shares what is in a value that can be set, and sums it up. What it leaves out, such as
// times, is told apart when values are compared.
func (s *sharer) sum(v reflect.Value) (sum uint64) {
	switch v.Kind() {
	case reflect.String:
		return s.text(v)
	case reflect.Struct:
		for i := range v.NumField() { //nolint:modernize // Fields describes each of them anew, which takes longer than all else
			if field := v.Field(i); field.CanSet() {
				sum = sum*31 + s.sum(field)
			}
		}
		return sum
	case reflect.Pointer, reflect.Slice, reflect.Map:
		if v.IsNil() {
			return 0
		}
		return s.part(v)
	case reflect.Bool:
		if v.Bool() {
			return 1
		}
	case reflect.Int, reflect.Int32, reflect.Int64:
		return uint64(v.Int())
	default:
	}
	return 0
}

func (s *sharer) text(v reflect.Value) uint64 {
	text := v.String()
	if text == "" {
		return 0
	}
	sum := maphash.String(s.seed, text)
	slot := &s.texts[sum%maxShared]
	if *slot == text {
		v.SetString(*slot)
	} else {
		*slot = text
	}
	return sum
}

func (s *sharer) part(v reflect.Value) uint64 {
	sum := s.content(v)
	slot := &s.parts[sum%maxShared]
	if slot.sum == sum && slot.value.IsValid() && slot.value.Type() == v.Type() && reflect.DeepEqual(slot.value.Interface(), v.Interface()) {
		v.Set(slot.value)
	} else {
		*slot = part{sum, reflect.ValueOf(v.Interface())}
	}
	return sum
}

// content sums up what a pointer, slice or map has.
func (s *sharer) content(v reflect.Value) uint64 {
	sum := uint64(v.Kind())
	switch {
	case v.Kind() == reflect.Pointer:
		return sum + 31*s.sum(v.Elem())
	case v.Kind() == reflect.Map: // its keys and values cannot be set, and come in any order
		for key, value := range v.Seq2() {
			sum += maphash.String(s.seed, key.String())*31 + maphash.String(s.seed, value.String())
		}
	case v.Type().Elem().Kind() == reflect.Uint8:
		return sum + 31*maphash.Bytes(s.seed, v.Bytes())
	default:
		for i := range v.Len() {
			sum = sum*31 + s.sum(v.Index(i))
		}
	}
	return sum
}
