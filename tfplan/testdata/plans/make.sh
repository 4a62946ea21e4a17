#!/bin/sh
# Makes the plans in this folder anew with the terraform on the path. Only the built-in
# provider is used, so nothing is downloaded. Ids, lineages and times differ each time;
# the tests know those of the files that are checked in.
set -eu
to=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1 TF_CLI_CONFIG_FILE=/dev/null

# plan NAME [FLAG…] writes NAME.json and, for some, NAME.tfplan.
plan() {
	name=$1
	shift
	terraform plan -input=false -out=out "$@" >/dev/null 2>&1 || true
	terraform show -json out >"$to/$name.json"
}

mkdir child
cat >child/main.tf <<'TF'
variable "of" { type = string }
resource "terraform_data" "inner" { input = var.of }
TF
cat >main.tf <<'TF'
variable "size" {
  type    = number
  default = 2
}
variable "secret" {
  type      = string
  default   = "not so secret"
  sensitive = true
}
module "child" {
  source   = "./child"
  for_each = toset(["a", "b"])
  of       = each.key
}
resource "terraform_data" "many" {
  count = var.size
  input = { n = count.index, s = var.secret }
}
resource "terraform_data" "replaced" { triggers_replace = var.size }
resource "terraform_data" "swapped" {
  triggers_replace = var.size
  lifecycle { create_before_destroy = true }
}
resource "terraform_data" "moving" { input = "stays" }
resource "terraform_data" "forgotten" { input = "lives on" }
TF
terraform init -input=false >/dev/null
plan create
cp out "$to/create.tfplan"
terraform apply -input=false out >/dev/null
plan nothing
cp out "$to/nothing.tfplan"
cp terraform.tfstate "$to/state.tfstate"
terraform show -json >"$to/not-a-plan-show-state.json"
terraform plan -input=false -json >"$to/not-a-plan-log.json"
terraform plan -input=false -no-color >"$to/not-a-plan-text.json"
plan destroy -destroy
plan target -destroy '-target=module.child["a"]'

sed -i 's/"moving"/"moved"/; /"forgotten"/d' main.tf
cat >>main.tf <<'TF'
moved {
  from = terraform_data.moving
  to   = terraform_data.moved
}
removed {
  from = terraform_data.forgotten
  lifecycle { destroy = false }
}
data "terraform_remote_state" "other" {
  backend    = "local"
  config     = { path = "${path.module}/other-${terraform_data.replaced.id}.tfstate" }
}
import {
  to = terraform_data.imported
  id = "an-id"
}
resource "terraform_data" "imported" {}
TF
plan everything -var size=1 -var 'secret=changed "quoted" value'
cp out "$to/everything.tfplan"

# A replacement whose new object cannot be finished leaves the old one behind, deposed.
rm -rf terraform.tfstate* .terraform
cat >main.tf <<'TF'
resource "terraform_data" "left" {
  triggers_replace = "1"
  provisioner "local-exec" { command = "test ${self.triggers_replace} = 1" }
  lifecycle { create_before_destroy = true }
}
TF
terraform init -input=false >/dev/null
terraform apply -input=false -auto-approve >/dev/null
sed -i 's/"1"/"2"/' main.tf
terraform apply -input=false -auto-approve >/dev/null 2>&1 || true
plan deposed
cp out "$to/deposed.tfplan"

# Planning fails half-way.
cat >>main.tf <<'TF'
data "terraform_remote_state" "missing" {
  backend = "local"
  config  = { path = "does-not-exist.tfstate" }
}
TF
plan errored

# Nothing at all.
rm -rf terraform.tfstate* .terraform
echo 'terraform {}' >main.tf
terraform init -input=false >/dev/null
plan empty
