/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/index.h"

#include <errno.h>

#include "util/strings.h"

static void *allocate(size_t n, size_t size)
{
        return calloc(n > 0 ? n : 1, size);
}

/* bsearch(3) without a table: before the first scan there is none, and it must not be NULL. */
static void *search(const void *key, const void *table, size_t n, size_t size,
        int (*compare)(const void *key, const void *item))
{
        return n > 0 ? bsearch(key, table, n, size, compare) : NULL;
}

static int compare_numbers(int64_t a, int64_t b)
{
        return a < b ? -1 : a > b;
}

static int compare_address_entry(const void *address, const void *entry)
{
        return pci_address_compare(address, &((const DeviceEntry *) entry)->device->address);
}

DeviceEntry *view_index_device(const ViewIndex *index, const PciAddress *address)
{
        return search(address, index->devices, index->n_devices, sizeof(*index->devices),
                compare_address_entry);
}

static int compare_number_group(const void *number, const void *group)
{
        return compare_numbers(*(const int64_t *) number, ((const GroupEntry *) group)->number);
}

GroupEntry *view_index_group(const ViewIndex *index, int64_t number)
{
        return search(&number, index->groups, index->n_groups, sizeof(*index->groups),
                compare_number_group);
}

static int compare_name_claim(const void *name, const void *claim)
{
        return strcmp(name, (*(ClaimEntry *const *) claim)->claim->name);
}

ClaimEntry *view_index_claim(const ViewIndex *index, const char *name)
{
        ClaimEntry **found = search(name, index->claims_by_name, index->n_claims,
                sizeof(*index->claims_by_name), compare_name_claim);

        return found ? *found : NULL;
}

static int compare_name_function(const void *name, const void *function)
{
        return strcmp(name, (*(PhysicalFunctionEntry *const *) function)->section->name);
}

PhysicalFunctionEntry *view_index_physical_function(const ViewIndex *index, const char *name)
{
        PhysicalFunctionEntry **found = search(name, index->physical_functions_by_name,
                index->n_physical_functions, sizeof(*index->physical_functions_by_name),
                compare_name_function);

        return found ? *found : NULL;
}

static int compare_by_group(const void *a, const void *b)
{
        const Device *x = (*(DeviceEntry *const *) a)->device;
        const Device *y = (*(DeviceEntry *const *) b)->device;
        int r = compare_numbers(x->group, y->group);

        return r != 0 ? r : pci_address_compare(&x->address, &y->address);
}

static int compare_by_function(const void *a, const void *b)
{
        const Device *x = (*(DeviceEntry *const *) a)->device;
        const Device *y = (*(DeviceEntry *const *) b)->device;
        int r = pci_address_compare(&x->physical_function, &y->physical_function);

        if (r == 0)
                r = compare_numbers(x->vf_index, y->vf_index);
        return r != 0 ? r : pci_address_compare(&x->address, &y->address);
}

static int add_devices(ViewIndex *index)
{
        const Snapshot *snapshot = index->view->snapshot;

        index->devices = allocate(snapshot->n_devices, sizeof(*index->devices));
        index->by_group = allocate(snapshot->n_devices, sizeof(*index->by_group));
        index->functions = allocate(snapshot->n_devices, sizeof(*index->functions));
        if (!index->devices || !index->by_group || !index->functions)
                return -ENOMEM;

        index->n_devices = snapshot->n_devices;
        for (size_t i = 0; i < index->n_devices; i++) {
                DeviceEntry *entry = &index->devices[i];

                entry->device = &snapshot->devices[i];
                index->by_group[i] = entry;
                if (entry->device->is_virtual_function)
                        index->functions[index->n_functions++] = entry;
        }
        qsort(index->by_group, index->n_devices, sizeof(*index->by_group), compare_by_group);
        qsort(index->functions, index->n_functions, sizeof(*index->functions),
                compare_by_function);
        return 0;
}

static const GroupNode *find_node(const View *view, int64_t group)
{
        size_t low = 0, high = view->n_nodes;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (view->nodes[middle].group < group)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < view->n_nodes && view->nodes[low].group == group ? &view->nodes[low] : NULL;
}

static int add_groups(ViewIndex *index)
{
        index->groups = allocate(index->n_devices, sizeof(*index->groups));
        if (!index->groups)
                return -ENOMEM;

        for (size_t i = 0; i < index->n_devices; i++) {
                DeviceEntry *device = index->by_group[i];
                GroupEntry *last =
                        index->n_groups > 0 ? &index->groups[index->n_groups - 1] : NULL;

                if (device->device->group < 0)
                        continue;
                if (!last || last->number != device->device->group) {
                        last = &index->groups[index->n_groups++];
                        last->number = device->device->group;
                        last->node = find_node(index->view, last->number);
                        last->members = &index->by_group[i];
                }
                last->n_members++;
                device->group = last;
        }
        return 0;
}

static void add_plan(ViewIndex *index)
{
        const Plan *plan = index->view->plan;

        for (size_t i = 0; plan && i < plan->n_groups; i++) {
                const GroupPlan *planned = &plan->groups[i];
                GroupEntry *group = view_index_group(index, planned->number);

                if (group)
                        group->plan = planned;
                for (size_t j = 0; j < planned->n_members; j++) {
                        DeviceEntry *device = view_index_device(index,
                                &planned->members[j].device->address);
                        if (device)
                                device->plan = &planned->members[j];
                }
        }
}

static int compare_claims(const void *a, const void *b)
{
        return strcmp((*(ClaimEntry *const *) a)->claim->name,
                (*(ClaimEntry *const *) b)->claim->name);
}

static ClaimEntry *claim_of(const ViewIndex *index, const DeviceEntry *device)
{
        return device->plan && device->plan->claim
                ? view_index_claim(index, device->plan->claim->name)
                : NULL;
}

static int fill_claim_devices(ViewIndex *index)
{
        for (size_t i = 0; i < index->n_devices; i++) {
                ClaimEntry *claim = claim_of(index, &index->devices[i]);
                if (claim)
                        claim->n_devices++;
        }
        for (size_t i = 0; i < index->n_claims; i++) {
                ClaimEntry *claim = &index->claims[i];

                claim->devices = allocate(claim->n_devices, sizeof(*claim->devices));
                claim->groups = allocate(claim->n_devices, sizeof(*claim->groups));
                if (!claim->devices || !claim->groups)
                        return -ENOMEM;
                claim->n_devices = 0;
        }
        for (size_t i = 0; i < index->n_devices; i++) {
                ClaimEntry *claim = claim_of(index, &index->devices[i]);
                if (claim)
                        claim->devices[claim->n_devices++] = &index->devices[i];
        }
        for (size_t i = 0; i < index->n_devices; i++) {
                ClaimEntry *claim = claim_of(index, index->by_group[i]);
                GroupEntry *group = index->by_group[i]->group;

                if (!claim || !group)
                        continue;
                if (claim->n_groups == 0 || claim->groups[claim->n_groups - 1] != group)
                        claim->groups[claim->n_groups++] = group;
        }
        return 0;
}

static const Claim *planned_claim(const DeviceEntry *device)
{
        return device->plan ? device->plan->claim : NULL;
}

/* Groups are small: a claim that stood further ahead already is skipped by looking back. */
const Claim *group_entry_claim(const GroupEntry *group, size_t member)
{
        const Claim *claim = planned_claim(group->members[member]);

        for (size_t i = 0; claim && i < member; i++)
                if (planned_claim(group->members[i]) == claim)
                        return NULL;
        return claim;
}

static int add_claims(ViewIndex *index)
{
        const Config *config = index->view->config;
        const Plan *plan = index->view->plan;

        index->claims = allocate(config->n_claims, sizeof(*index->claims));
        index->claims_by_name = allocate(config->n_claims, sizeof(*index->claims_by_name));
        if (!index->claims || !index->claims_by_name)
                return -ENOMEM;

        index->n_claims = config->n_claims;
        for (size_t i = 0; i < index->n_claims; i++) {
                index->claims[i].claim = &config->claims[i];
                index->claims_by_name[i] = &index->claims[i];
        }
        qsort(index->claims_by_name, index->n_claims, sizeof(*index->claims_by_name),
                compare_claims);
        for (size_t i = 0; plan && i < plan->n_claims; i++) {
                ClaimEntry *claim = view_index_claim(index, plan->claims[i].claim->name);
                if (claim)
                        claim->plan = &plan->claims[i];
        }
        return fill_claim_devices(index);
}

static int compare_functions(const void *a, const void *b)
{
        return strcmp((*(PhysicalFunctionEntry *const *) a)->section->name,
                (*(PhysicalFunctionEntry *const *) b)->section->name);
}

static void fill_virtual_functions(const ViewIndex *index, PhysicalFunctionEntry *entry)
{
        const PciAddress *address = &entry->device->device->address;
        size_t low = 0, high = index->n_functions;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (pci_address_compare(&index->functions[middle]->device->physical_function,
                            address) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        entry->virtual_functions = &index->functions[low];
        while (low < index->n_functions &&
                pci_address_equal(&index->functions[low]->device->physical_function, address)) {
                entry->n_virtual_functions++;
                low++;
        }
}

static int add_physical_functions(ViewIndex *index)
{
        const Config *config = index->view->config;
        const Plan *plan = index->view->plan;
        size_t n = config->n_physical_functions;

        index->physical_functions = allocate(n, sizeof(*index->physical_functions));
        index->physical_functions_by_name =
                allocate(n, sizeof(*index->physical_functions_by_name));
        if (!index->physical_functions || !index->physical_functions_by_name)
                return -ENOMEM;

        index->n_physical_functions = n;
        for (size_t i = 0; i < n; i++) {
                index->physical_functions[i].section = &config->physical_functions[i];
                index->physical_functions_by_name[i] = &index->physical_functions[i];
        }
        qsort(index->physical_functions_by_name, n, sizeof(*index->physical_functions_by_name),
                compare_functions);

        for (size_t i = 0; plan && i < plan->n_physical_functions; i++) {
                const PhysicalFunctionPlan *planned = &plan->physical_functions[i];
                PhysicalFunctionEntry *entry = planned->section
                        ? view_index_physical_function(index, planned->section->name)
                        : NULL;

                if (!entry || entry->device)
                        continue;
                entry->device = view_index_device(index, &planned->device->address);
                if (!entry->device)
                        continue;
                entry->plan = planned;
                fill_virtual_functions(index, entry);
        }
        return 0;
}

int view_index_new(View *view, ViewIndex **ret)
{
        _cleanup_(view_index_freep) ViewIndex *index = calloc(1, sizeof(*index));
        int r;

        if (!index)
                return -ENOMEM;
        if (view) {
                index->view = view_ref(view);
                r = add_devices(index);
                if (r >= 0)
                        r = add_groups(index);
                if (r < 0)
                        return r;
                add_plan(index);
                r = add_claims(index);
                if (r >= 0)
                        r = add_physical_functions(index);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_POINTER(index);
        return 0;
}

ViewIndex *view_index_free(ViewIndex *index)
{
        if (!index)
                return NULL;
        for (size_t i = 0; i < index->n_claims; i++) {
                free(index->claims[i].devices);
                free(index->claims[i].groups);
        }
        free(index->claims);
        free(index->claims_by_name);
        free(index->physical_functions);
        free(index->physical_functions_by_name);
        free(index->groups);
        free(index->by_group);
        free(index->functions);
        free(index->devices);
        if (index->view)
                view_unref(index->view);
        free(index);
        return NULL;
}
