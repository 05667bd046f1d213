// The Go original's kind: net/http and gorilla/sessions, with the original's handlers.
package main

import (
	"fmt"
	"html"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/gorilla/sessions"
)

const (
	sessionName = "go"
	loginPage   = "/public/login.html"
)

var (
	// Keys that are nobody's.
	store = sessions.NewCookieStore(
		[]byte("an authentication key"), []byte("0123456789abcdef0123456789abcdef"))
	before, after string
)

func main() {
	page, err := os.ReadFile("benches/peers/home.html")
	if err != nil {
		log.Fatal(err)
	}
	before, after, _ = strings.Cut(string(page), "{name}")
	http.Handle("/public/", http.StripPrefix("/public/", http.FileServer(http.Dir("static"))))
	http.HandleFunc("/login", login)
	http.HandleFunc("/fill", fill)
	http.HandleFunc("/", home)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("port", listener.Addr().(*net.TCPAddr).Port)
	log.Fatal(http.Serve(listener, nil))
}

func home(w http.ResponseWriter, r *http.Request) {
	session, err := store.Get(r, sessionName)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	username, _ := session.Values["username"].(string)
	if username == "" {
		http.Redirect(w, r, loginPage, http.StatusSeeOther)
		return
	}
	w.Header().Add("Content-Type", "text/html; charset=utf-8")
	fmt.Fprint(w, before, html.EscapeString(username), after)
}

func login(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("username") != "foo" || r.FormValue("password") != "secret" {
		http.Redirect(w, r, loginPage+"#failed", http.StatusSeeOther)
		return
	}
	keep(w, r, "username", "foo")
}

// fill keeps so many bytes in the session.
func fill(w http.ResponseWriter, r *http.Request) {
	size, _ := strconv.Atoi(r.FormValue("size"))
	keep(w, r, "values", strings.Repeat("v", size))
}

func keep(w http.ResponseWriter, r *http.Request, name, value string) {
	session, err := store.Get(r, sessionName)
	if err == nil {
		session.Values[name] = value
		err = session.Save(r, w)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
