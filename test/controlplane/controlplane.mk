# The Kubernetes control plane that tests run against: included by the Makefile.
#
#   make controlplane            builds it if needed; the last line of standard
#                                output is the directory
#   $(with_controlplane) COMMAND in a recipe: COMMAND with KUBEBUILDER_ASSETS set
#                                to it, and with tests that need it failing
#                                instead of being skipped if it is not there
#
# KUBEBUILDER_ASSETS in the environment is checked and used instead of building.
# Where built ones are kept: MOLLYGUARD_CACHE, see build.sh.

controlplane_build := $(dir $(lastword $(MAKEFILE_LIST)))build.sh

# The assignment is a command of its own: a build that fails stops the recipe.
with_controlplane = assets=$$('$(controlplane_build)') && \
	KUBEBUILDER_ASSETS="$$assets" MOLLYGUARD_REQUIRE_CONTROLPLANE=1

.PHONY: controlplane
controlplane: ## Build etcd, kube-apiserver, kube-controller-manager and kubectl for the tests
	@'$(controlplane_build)'
