// How long gorilla/securecookie takes to open and seal the session `username=foo`, both together,
// the way gorilla/sessions has it done. Prints nanoseconds.
package main

import (
	"fmt"
	"log"
	"time"

	"github.com/gorilla/securecookie"
)

const times = 20000

func main() {
	codecs := securecookie.CodecsFromPairs(
		[]byte("an authentication key"), []byte("0123456789abcdef0123456789abcdef"))
	value, err := securecookie.EncodeMulti(
		"go", map[interface{}]interface{}{"username": "foo"}, codecs...)
	if err != nil {
		log.Fatal(err)
	}
	began := time.Now()
	for i := 0; i < times; i++ {
		values := make(map[interface{}]interface{})
		if err = securecookie.DecodeMulti("go", value, &values, codecs...); err != nil {
			log.Fatal(err)
		}
		if value, err = securecookie.EncodeMulti("go", values, codecs...); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(time.Since(began).Nanoseconds() / times)
}
