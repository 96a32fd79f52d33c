// Command registry is the OCI registry that the tests pull from: distribution, whole, with the storage and the
// logins that the tests use. Its own command links three clouds' clients too, which take minutes to build.
//
// "registry htpasswd <user> <password>" prints a line of the file that it reads users from.
package main

import (
	"fmt"
	"os"

	"golang.org/x/crypto/bcrypt"

	"github.com/distribution/distribution/v3/registry"
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	_ "github.com/distribution/distribution/v3/registry/auth/token"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 3 && args[0] == "htpasswd" {
		hash, err := bcrypt.GenerateFromPassword([]byte(args[2]), bcrypt.MinCost)
		if err == nil {
			fmt.Printf("%s:%s\n", args[1], hash)
		}
		return err
	}
	return registry.RootCmd.Execute()
}
