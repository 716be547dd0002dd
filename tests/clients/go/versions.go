package main

import (
	"context"
	"strings"

	masterminds "github.com/Masterminds/semver/v3"
	blang "github.com/blang/semver/v4"
	hashicorp "github.com/hashicorp/go-version"
	vault "github.com/hashicorp/vault/api"
	"golang.org/x/mod/semver"
)

// A library of versions, as clients use them. order: -1, 0, 1.
type library struct {
	name  string
	order func(a, b string) int
	meets func(version, constraint string) bool // nil: it knows no constraints
}

func byHashicorp(a, b string) int {
	return hashicorp.Must(hashicorp.NewVersion(a)).Compare(hashicorp.Must(hashicorp.NewVersion(b)))
}

func bySemver(a, b string) int {
	expect(semver.IsValid("v"+a) && semver.IsValid("v"+b), "%s or %s is no version to x/mod/semver", a, b)
	return semver.Compare("v"+a, "v"+b)
}

func byBlang(a, b string) int { return blang.MustParse(a).Compare(blang.MustParse(b)) }

func byMasterminds(a, b string) int {
	return masterminds.MustParse(a).Compare(masterminds.MustParse(b))
}

func meetsHashicorp(version, constraint string) bool {
	constraints, err := hashicorp.NewConstraint(constraint)
	must(err)
	return constraints.Check(hashicorp.Must(hashicorp.NewVersion(version)))
}

func meetsMasterminds(version, constraint string) bool {
	constraints, err := masterminds.NewConstraint(constraint)
	must(err)
	return constraints.Check(masterminds.MustParse(version))
}

func meetsBlang(version, constraint string) bool {
	within, err := blang.ParseRange(constraint)
	must(err)
	return within(blang.MustParse(version))
}

var libraries = []library{
	{"hashicorp/go-version", byHashicorp, meetsHashicorp}, {"x/mod/semver", bySemver, nil},
	{"blang/semver", byBlang, meetsBlang}, {"Masterminds/semver", byMasterminds, meetsMasterminds},
}

// inOrder: it has the rank of the API's level.
func (l library) inOrder(version string) {
	level, _, _ := strings.Cut(version, "+")
	expect(l.order(version, level) == 0, "%s: %s is not %s", l.name, version, level)
	for _, before := range []string{"0.1.0", "1.9.9", "1.12.0", "2.7.1", level + "-rc1"} {
		expect(l.order(version, before) > 0 && l.order(before, version) < 0, "%s: %s is not after %s", l.name, version, before)
	}
	for _, after := range []string{"2.7.3", "2.10.0", "3.0.0"} {
		expect(l.order(version, after) < 0, "%s: %s is not before %s", l.name, version, after)
	}
}

func (l library) inConstraints(version string) {
	if l.meets == nil {
		return
	}
	for _, constraint := range []string{">=1.12.0", ">=1.10.0 <3.0.0", ">2.7.1", "<=2.7.2", "=2.7.2"} {
		if l.name == "hashicorp/go-version" {
			constraint = strings.ReplaceAll(constraint, " ", ", ")
		}
		expect(l.meets(version, constraint), "%s: %s does not meet %s", l.name, version, constraint)
		expect(constraint[0] == '<' || !l.meets("0.1.0", constraint), "%s: 0.1.0 meets %s", l.name, constraint)
	}
}

// versions: what the server says of itself is a version to whoever reads it, and says which API it has.
func versions() {
	status, err := client.Sys().SealStatus()
	must(err)
	health, err := client.Sys().Health()
	must(err)
	expect(status.Version == health.Version, "%s and %s", status.Version, health.Version)
	plugin, err := client.Sys().GetPluginWithContext(context.Background(), &vault.GetPluginInput{Name: "transit", Type: vault.PluginTypeSecrets})
	must(err)
	for _, l := range libraries {
		l.inOrder(status.Version)
		l.inConstraints(status.Version)
		l.inOrder(strings.TrimPrefix(plugin.Version, "v"))
	}
}
