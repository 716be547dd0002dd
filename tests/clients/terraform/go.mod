module terraform

go 1.19

require github.com/terraform-providers/terraform-provider-vault v1.9.0

replace github.com/terraform-providers/terraform-provider-vault => github.com/hashicorp/terraform-provider-vault v1.9.0
